{{ config(enabled=var('prefect__using_deployments', true)) }}

with runs as (

    select *
    from {{ ref('prefect__flow_runs_enhanced') }}
    where deployment_id is not null

),

ended as (

    select
        *,
        row_number() over (
            partition by source_relation, deployment_id order by ended_at desc, flow_run_id desc
        ) as recency
    from runs
    where state_type in ('COMPLETED', 'FAILED', 'CRASHED')

),

outcomes as (

    select
        source_relation,
        deployment_id,
        count(*) as ended_runs,
        min(case when is_failed then recency end) as newest_failure,
        min(case when not is_failed then recency end) as newest_success,
        max(case when is_failed then ended_at end) as last_failure_at,
        max(case when not is_failed then ended_at end) as last_success_at,
        max(case when recency = 1 then flow_run_id end) as last_run_id,
        max(case when recency = 1 then state_type end) as last_run_state_type,
        max(case when recency = 1 then ended_at end) as last_run_ended_at,
        {{ prefect.count_if(prefect.is_recent('ended_at')) }} as recent_runs,
        {{ prefect.count_if('is_failed and ' ~ prefect.is_recent('ended_at')) }} as recent_failed_runs
    from ended
    group by source_relation, deployment_id

),

scheduled as (

    select
        source_relation,
        deployment_id,
        max(expected_start_time) as latest_expected,
        min(case
            when state_type = 'SCHEDULED' and expected_start_time >= {{ prefect.now() }} then expected_start_time
        end) as next_expected_at,
        {{ prefect.count_if(
            "not is_final and not has_started and expected_start_time < "
            ~ prefect.seconds_before(prefect.now(), var('prefect__late_after_seconds', 30))
        ) }} as overdue_runs,
        {{ prefect.count_if('is_final and not has_started and expected_start_time < ' ~ prefect.now() ~ ' and '
            ~ prefect.is_recent('expected_start_time')) }} as missed_runs
    from runs
    where is_auto_scheduled
    group by source_relation, deployment_id

),

gaps as (

    select
        source_relation,
        deployment_id,
        {{ prefect.seconds_between(
            'lag(expected_start_time) over (partition by source_relation, deployment_id order by expected_start_time)',
            'expected_start_time'
        ) }} as seconds
    from runs
    where is_auto_scheduled

),

intervals as (

    select source_relation, deployment_id, {{ prefect.percentile('seconds', 50) }} as usual_interval_seconds
    from gaps
    where seconds > 0
    group by source_relation, deployment_id

),

{% if var('prefect__using_deployment_schedules', true) -%}
schedules as (

    select source_relation, deployment_id, {{ prefect.count_if('is_active') }} as active_schedules
    from {{ ref('stg_prefect__deployment_schedules') }}
    group by source_relation, deployment_id

),
{%- endif %}

deployments as (

    select
        deployments.source_relation,
        deployments.deployment_id,
        deployments.deployment_name,
        deployments.flow_id,
        flows.flow_name,
        deployments.work_pool_name,
        deployments.work_queue_name,
        coalesce(deployments.is_paused, not deployments.is_schedule_active, false) as is_paused,
        {% if var('prefect__using_deployment_schedules', true) -%}
        coalesce(schedules.active_schedules, 0) as active_schedules
        {%- else -%}
        cast(null as {{ dbt.type_int() }}) as active_schedules
        {%- endif %}
    from {{ ref('stg_prefect__deployments') }} as deployments
    left join {{ ref('base_prefect__flows') }} as flows
        on flows.source_relation = deployments.source_relation and flows.flow_id = deployments.flow_id
    {% if var('prefect__using_deployment_schedules', true) -%}
    left join schedules
        on schedules.source_relation = deployments.source_relation and schedules.deployment_id = deployments.deployment_id
    {%- endif %}

),

measured as (

    select
        deployments.*,
        coalesce(outcomes.ended_runs, 0) as ended_runs,
        outcomes.last_run_id,
        outcomes.last_run_state_type,
        outcomes.last_run_ended_at,
        outcomes.last_success_at,
        outcomes.last_failure_at,
        coalesce(outcomes.newest_failure - 1, outcomes.ended_runs, 0) as success_streak,
        coalesce(outcomes.newest_success - 1, outcomes.ended_runs, 0) as failure_streak,
        coalesce(outcomes.recent_runs, 0) as recent_runs,
        cast(outcomes.recent_failed_runs as {{ prefect.type_double() }})
            / nullif(outcomes.recent_runs, 0) as recent_failure_rate,
        intervals.usual_interval_seconds,
        scheduled.next_expected_at,
        coalesce(scheduled.overdue_runs, 0) as overdue_runs,
        coalesce(scheduled.missed_runs, 0) as missed_runs,
        case
            when deployments.is_paused or deployments.active_schedules = 0 or scheduled.latest_expected >= {{ prefect.now() }}
                then 0
            else coalesce(cast(floor({{ prefect.seconds_between('scheduled.latest_expected', prefect.now()) }}
                / intervals.usual_interval_seconds) as {{ dbt.type_int() }}), 0)
        end as skipped_runs
    from deployments
    left join outcomes
        on outcomes.source_relation = deployments.source_relation and outcomes.deployment_id = deployments.deployment_id
    left join scheduled
        on scheduled.source_relation = deployments.source_relation and scheduled.deployment_id = deployments.deployment_id
    left join intervals
        on intervals.source_relation = deployments.source_relation and intervals.deployment_id = deployments.deployment_id

)

select
    *,
    case
        when is_paused then 'paused'
        when failure_streak > 0 then 'failing'
        when overdue_runs > 0 or skipped_runs > 0 then 'late'
        when ended_runs = 0 then 'never ran'
        else 'healthy'
    end as health
from measured
