{{ config(enabled=var('prefect__using_task_runs', true)) }}

with task_runs as (

    select
        task_runs.*,
        flow_runs.flow_id,
        flow_runs.flow_name,
        case
            when task_runs.run_count > 0 then {{ prefect.elapsed_seconds('task_runs.start_time', 'task_runs.end_time') }}
        end as duration_seconds
    from {{ ref('stg_prefect__task_runs') }} as task_runs
    left join {{ ref('prefect__flow_runs_enhanced') }} as flow_runs
        on flow_runs.source_relation = task_runs.source_relation and flow_runs.flow_run_id = task_runs.flow_run_id
    where {{ prefect.is_recent('task_runs.expected_start_time') }}

),

tasks as (

    select
        source_relation,
        flow_id,
        flow_name,
        task_key,
        count(*) as task_runs,
        {{ prefect.count_if("state_type = 'COMPLETED'") }} as completed_task_runs,
        {{ prefect.count_if("state_type = 'FAILED'") }} as failed_task_runs,
        {{ prefect.count_if("state_type = 'CRASHED'") }} as crashed_task_runs,
        {{ prefect.count_if("state_name like 'Cached%'") }} as cached_task_runs,
        {{ prefect.count_if('run_count > 1') }} as retried_task_runs,
        sum(case when run_count > 1 then run_count - 1 else 0 end) as retries,
        sum(coalesce(total_run_time, 0)) as run_seconds,
        {{ prefect.percentiles('duration_seconds') }},
        max(end_time) as last_ended_at
    from task_runs
    group by source_relation, flow_id, flow_name, task_key

)

select
    {{ dbt.hash(dbt.concat([
        'source_relation', "'|'", "coalesce(flow_id, '')", "'|'", "coalesce(task_key, '')"
    ])) }} as task_hotspot_id,
    source_relation,
    flow_id,
    flow_name,
    task_key,
    task_runs,
    completed_task_runs,
    failed_task_runs,
    crashed_task_runs,
    cached_task_runs,
    retried_task_runs,
    retries,
    cast(failed_task_runs + crashed_task_runs as {{ prefect.type_double() }})
        / nullif(completed_task_runs + failed_task_runs + crashed_task_runs, 0) as failure_rate,
    run_seconds,
    run_seconds / nullif(sum(run_seconds) over (partition by source_relation, flow_id), 0) as share_of_flow_run_seconds,
    duration_seconds_p50,
    duration_seconds_p90,
    duration_seconds_p99,
    duration_seconds_max,
    last_ended_at
from tasks
