-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_logs', false)) }}

select
    source_relation,
    log_id,
    created_at,
    log_timestamp,
    level,
    log_name,
    log_message,
    flow_run_id,
    task_run_id,
    _fivetran_synced
from {{ ref('base_prefect__logs') }}
where not is_deleted
