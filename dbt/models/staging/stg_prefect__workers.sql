-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workers', true)) }}

select
    source_relation,
    worker_id,
    created_at,
    updated_at,
    worker_name,
    work_pool_id,
    worker_status,
    last_heartbeat_time,
    heartbeat_interval_seconds,
    _fivetran_synced
from {{ ref('base_prefect__workers') }}
where not is_deleted
