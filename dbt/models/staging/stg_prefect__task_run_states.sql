-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_run_states', false)) }}

select
    source_relation,
    state_id,
    task_run_id,
    task_run_updated,
    state_type,
    state_name,
    state_timestamp,
    state_message,
    state_details,
    _fivetran_synced
from {{ ref('base_prefect__task_run_states') }}
where not is_deleted
