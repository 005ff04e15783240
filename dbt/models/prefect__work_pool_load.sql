{{ config(enabled=var('prefect__using_work_pools', true)) }}

with runs as (

    select
        *,
        {{ prefect.period_start('day', 'started_at') }} as date_day
    from {{ ref('prefect__flow_runs_enhanced') }}
    where work_pool_id is not null and has_started
        and (not is_final or {{ prefect.is_recent('ended_at') }})

),

changes as (

    select source_relation, work_pool_id, flow_run_id, started_at as happened_at, 1 as change from runs
    union all
    select
        source_relation,
        work_pool_id,
        flow_run_id,
        case when ended_at > started_at then ended_at else started_at end as happened_at,
        -1 as change
    from runs
    where is_final

),

levels as (

    select
        *,
        {{ prefect.period_start('day', 'happened_at') }} as date_day,
        sum(change) over (
            partition by source_relation, work_pool_id order by happened_at, change, flow_run_id
            rows between unbounded preceding and current row
        ) as running_runs
    from changes

),

-- Before an end, one more run was running; a run that took no time was one, too.
peaks as (

    select
        source_relation,
        work_pool_id,
        date_day,
        max(case when change < 0 or running_runs < 1 then running_runs + 1 else running_runs end) as peak_running_runs
    from levels
    group by source_relation, work_pool_id, date_day

),

loads as (

    select
        source_relation,
        work_pool_id,
        date_day,
        count(*) as started_runs,
        {{ prefect.count_if('is_late') }} as late_runs,
        sum(run_seconds) as run_seconds,
        {{ prefect.percentiles('queued_seconds') }}
    from runs
    group by source_relation, work_pool_id, date_day

){% if var('prefect__using_workers', true) %},

workers as (

    select source_relation, work_pool_id, {{ prefect.count_if("worker_status = 'ONLINE'") }} as online_workers
    from {{ ref('stg_prefect__workers') }}
    group by source_relation, work_pool_id

){% endif %}

select
    peaks.source_relation,
    peaks.date_day,
    peaks.work_pool_id,
    pools.work_pool_name,
    pools.work_pool_type,
    pools.is_paused,
    pools.concurrency_limit,
    {% if var('prefect__using_workers', true) -%}
    coalesce(workers.online_workers, 0) as online_workers,
    {%- else -%}
    cast(null as {{ dbt.type_int() }}) as online_workers,
    {%- endif %}
    coalesce(loads.started_runs, 0) as started_runs,
    coalesce(loads.late_runs, 0) as late_runs,
    coalesce(loads.run_seconds, 0) as run_seconds,
    peaks.peak_running_runs,
    cast(peaks.peak_running_runs as {{ prefect.type_double() }}) / nullif(pools.concurrency_limit, 0) as peak_share_of_limit,
    loads.queued_seconds_p50,
    loads.queued_seconds_p90,
    loads.queued_seconds_p99,
    loads.queued_seconds_max
from peaks
left join loads
    on loads.source_relation = peaks.source_relation
    and loads.work_pool_id = peaks.work_pool_id
    and loads.date_day = peaks.date_day
left join {{ ref('base_prefect__work_pools') }} as pools
    on pools.source_relation = peaks.source_relation and pools.work_pool_id = peaks.work_pool_id
{% if var('prefect__using_workers', true) -%}
left join workers on workers.source_relation = peaks.source_relation and workers.work_pool_id = peaks.work_pool_id
{%- endif %}
