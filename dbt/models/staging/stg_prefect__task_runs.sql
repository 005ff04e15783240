-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_runs', true)) }}

select
    source_relation,
    task_run_id,
    created_at,
    updated_at,
    task_run_name,
    flow_run_id,
    task_key,
    dynamic_key,
    cache_key,
    cache_expiration,
    task_version,
    state_id,
    state_type,
    state_name,
    state_message,
    state_timestamp,
    expected_start_time,
    next_scheduled_start_time,
    start_time,
    end_time,
    total_run_time,
    run_count,
    flow_run_run_count,
    estimated_run_time,
    estimated_start_time_delta,
    tags,
    labels,
    task_inputs,
    empirical_policy,
    _fivetran_synced
from {{ ref('base_prefect__task_runs') }}
where not is_deleted
