-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_global_concurrency_limits', true)) }}

select
    source_relation,
    global_concurrency_limit_id,
    created_at,
    updated_at,
    global_concurrency_limit_name,
    is_active,
    concurrency_limit,
    active_slots,
    slot_decay_per_second,
    _fivetran_synced
from {{ ref('base_prefect__global_concurrency_limits') }}
where not is_deleted
