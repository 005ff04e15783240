-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_schemas', true)) }}

select
    source_relation,
    block_schema_id,
    created_at,
    updated_at,
    checksum,
    version,
    block_type_id,
    capabilities,
    fields,
    _fivetran_synced
from {{ ref('base_prefect__block_schemas') }}
where not is_deleted
