{{ config(
    materialized='incremental',
    incremental_strategy=prefect.replaces_rows(),
    unique_key=['source_relation', 'flow_run_id'],
    on_schema_change='append_new_columns'
) }}

with flow_runs as (

    select *
    from {{ ref('base_prefect__flow_runs') }}
    {% if is_incremental() -%}
    where {{ prefect.run_key() }} in (
        select {{ prefect.run_key() }}
        from (
            {{ prefect.not_built(ref('base_prefect__flow_runs'), '_fivetran_synced') }}
        ) as changed
        union all
        -- A re-sync marks all runs that are gone as deleted, and leaves their _fivetran_synced as it was.
        select {{ prefect.run_key('gone.') }}
        from {{ ref('base_prefect__flow_runs') }} as gone
        inner join {{ this }} as built
            on built.source_relation = gone.source_relation and built.flow_run_id = gone.flow_run_id
        where gone.is_deleted and not built.is_deleted
    )
    {%- endif %}

),

-- Servers before 3.6.14 leave start_time and end_time of a run that never started null; later ones set both to the end.
outcomes as (

    select
        *,
        state_type in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') as is_final,
        coalesce(run_count > 0, false)
            or (start_time is not null and (end_time is null or end_time > start_time)) as has_started,
        case
            when state_type in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') then coalesce(end_time, state_timestamp)
        end as ended_at,
        case when created_at > expected_start_time then created_at else expected_start_time end as due_at
    from flow_runs

)

select
    source_relation,
    flow_run_id,
    flow_run_name,
    flow_id,
    deployment_id,
    parent_task_run_id,
    work_pool_id,
    work_pool_name,
    work_queue_id,
    work_queue_name,
    state_type,
    state_name,
    state_message,
    state_timestamp,
    is_final,
    state_type in ('FAILED', 'CRASHED') as is_failed,
    has_started,
    coalesce(is_auto_scheduled, false) as is_auto_scheduled,
    parent_task_run_id is not null as is_subflow_run,
    {{ prefect.json_text('created_by', 'type') }} as created_by_type,
    created_at,
    updated_at,
    expected_start_time,
    next_scheduled_start_time,
    {{ prefect.period_start('day', 'expected_start_time') }} as scheduled_date,
    case when has_started then start_time end as started_at,
    ended_at,
    coalesce(run_count, 0) as run_count,
    case when run_count > 1 then run_count - 1 else 0 end as retry_count,
    case when has_started then {{ prefect.elapsed_seconds('expected_start_time', 'start_time') }} end as lateness_seconds,
    case when has_started then {{ prefect.elapsed_seconds('due_at', 'start_time') }} end as queued_seconds,
    case when has_started then {{ prefect.elapsed_seconds('start_time', 'ended_at') }} end as duration_seconds,
    coalesce(total_run_time, 0) as run_seconds,
    tags,
    _fivetran_synced,
    is_deleted
from outcomes
