-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_concurrency_limits', true)) }}

select
    source_relation,
    concurrency_limit_id,
    created_at,
    updated_at,
    concurrency_limit_tag,
    concurrency_limit,
    active_slots,
    _fivetran_synced
from {{ ref('base_prefect__concurrency_limits') }}
where not is_deleted
