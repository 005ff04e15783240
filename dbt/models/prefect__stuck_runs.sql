with runs as (

    select *
    from {{ ref('prefect__flow_runs_enhanced') }}

),

usual as (

    select
        source_relation,
        flow_id,
        count(*) as ended_runs,
        {{ prefect.percentile('duration_seconds', 99) }} as usual_seconds_p99
    from runs
    where duration_seconds is not null and {{ prefect.is_recent('ended_at') }}
    group by source_relation, flow_id

),

open_runs as (

    select
        runs.source_relation,
        runs.flow_run_id,
        runs.flow_run_name,
        runs.flow_id,
        runs.flow_name,
        runs.deployment_id,
        runs.deployment_name,
        runs.work_pool_name,
        runs.work_queue_name,
        runs.state_type,
        runs.state_name,
        runs.state_message,
        runs.state_timestamp,
        runs.expected_start_time,
        runs.started_at,
        runs.tags,
        case
            when runs.state_type = 'SCHEDULED'
                then coalesce(runs.next_scheduled_start_time, runs.expected_start_time)
            else runs.state_timestamp
        end as waiting_since,
        usual.usual_seconds_p99,
        case runs.state_type
            when 'SCHEDULED' then {{ var('prefect__stuck_scheduled_seconds', 900) }}
            when 'PENDING' then {{ var('prefect__stuck_pending_seconds', 900) }}
            when 'CANCELLING' then {{ var('prefect__stuck_cancelling_seconds', 900) }}
            when 'PAUSED' then {{ var('prefect__stuck_paused_seconds', 86400) }}
            else case
                when usual.ended_runs >= 10 and 3 * usual.usual_seconds_p99 > {{ var('prefect__stuck_running_least_seconds', 900) }}
                    then 3 * usual.usual_seconds_p99
                when usual.ended_runs >= 10 then {{ var('prefect__stuck_running_least_seconds', 900) }}
                else {{ var('prefect__stuck_running_seconds', 86400) }}
            end
        end as threshold_seconds
    from runs
    left join usual on usual.source_relation = runs.source_relation and usual.flow_id = runs.flow_id
    where not runs.is_final

),

aged as (

    select *, {{ prefect.seconds_between('waiting_since', prefect.now()) }} as stuck_seconds
    from open_runs

)

select
    source_relation,
    flow_run_id,
    flow_run_name,
    flow_id,
    flow_name,
    deployment_id,
    deployment_name,
    work_pool_name,
    work_queue_name,
    state_type,
    state_name,
    state_message,
    case state_type
        when 'SCHEDULED' then case when state_name = 'AwaitingConcurrencySlot' then 'waiting for a slot' else 'overdue' end
        when 'PENDING' then 'not starting'
        when 'PAUSED' then 'paused'
        when 'CANCELLING' then 'not cancelling'
        else 'running too long'
    end as reason,
    waiting_since,
    stuck_seconds,
    threshold_seconds,
    usual_seconds_p99,
    expected_start_time,
    started_at,
    tags
from aged
where stuck_seconds > threshold_seconds
