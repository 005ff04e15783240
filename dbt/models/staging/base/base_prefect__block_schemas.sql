-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_schemas', true)) }}

with connections as (

    {{ prefect.connections('block_schemas', {
        'id': 'block_schema_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'checksum': 'checksum',
        'version': 'version',
        'block_type_id': 'block_type_id',
        'capabilities': 'capabilities',
        'fields': 'fields',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(block_schema_id as {{ dbt.type_string() }}) as block_schema_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(checksum as {{ dbt.type_string() }}) as checksum,
    cast(version as {{ dbt.type_string() }}) as version,
    cast(block_type_id as {{ dbt.type_string() }}) as block_type_id,
    {{ prefect.json('capabilities') }} as capabilities,
    {{ prefect.json('fields') }} as fields,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
