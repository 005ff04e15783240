-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_work_queues', true)) }}

select
    source_relation,
    work_queue_id,
    created_at,
    updated_at,
    work_queue_name,
    description,
    work_pool_id,
    work_pool_name,
    priority,
    work_queue_status,
    is_paused,
    concurrency_limit,
    active_slots,
    last_polled,
    filter,
    _fivetran_synced
from {{ ref('base_prefect__work_queues') }}
where not is_deleted
