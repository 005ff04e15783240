-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_documents', false)) }}

select
    source_relation,
    block_document_id,
    created_at,
    updated_at,
    block_document_name,
    block_type_id,
    block_type_name,
    block_schema_id,
    is_anonymous,
    data,
    block_document_references,
    _fivetran_synced
from {{ ref('base_prefect__block_documents') }}
where not is_deleted
