-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_documents', false)) }}

with connections as (

    {{ prefect.connections('block_documents', {
        'id': 'block_document_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'block_document_name',
        'block_type_id': 'block_type_id',
        'block_type_name': 'block_type_name',
        'block_schema_id': 'block_schema_id',
        'is_anonymous': 'is_anonymous',
        'data': 'data',
        'block_document_references': 'block_document_references',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(block_document_id as {{ dbt.type_string() }}) as block_document_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(block_document_name as {{ dbt.type_string() }}) as block_document_name,
    cast(block_type_id as {{ dbt.type_string() }}) as block_type_id,
    cast(block_type_name as {{ dbt.type_string() }}) as block_type_name,
    cast(block_schema_id as {{ dbt.type_string() }}) as block_schema_id,
    cast(is_anonymous as {{ dbt.type_boolean() }}) as is_anonymous,
    {{ prefect.json('data') }} as data,
    {{ prefect.json('block_document_references') }} as block_document_references,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
