-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_types', true)) }}

select
    source_relation,
    block_type_id,
    created_at,
    updated_at,
    block_type_name,
    slug,
    description,
    documentation_url,
    logo_url,
    code_example,
    is_protected,
    _fivetran_synced
from {{ ref('base_prefect__block_types') }}
where not is_deleted
