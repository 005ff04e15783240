-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_work_pools', true)) }}

select
    source_relation,
    work_pool_id,
    created_at,
    updated_at,
    work_pool_name,
    description,
    work_pool_type,
    work_pool_status,
    is_paused,
    concurrency_limit,
    active_slots,
    default_queue_id,
    base_job_template,
    storage_configuration,
    _fivetran_synced
from {{ ref('base_prefect__work_pools') }}
where not is_deleted
