-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_block_types', true)) }}

with connections as (

    {{ prefect.connections('block_types', {
        'id': 'block_type_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'block_type_name',
        'slug': 'slug',
        'description': 'description',
        'documentation_url': 'documentation_url',
        'logo_url': 'logo_url',
        'code_example': 'code_example',
        'is_protected': 'is_protected',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(block_type_id as {{ dbt.type_string() }}) as block_type_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(block_type_name as {{ dbt.type_string() }}) as block_type_name,
    cast(slug as {{ dbt.type_string() }}) as slug,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(documentation_url as {{ dbt.type_string() }}) as documentation_url,
    cast(logo_url as {{ dbt.type_string() }}) as logo_url,
    cast(code_example as {{ dbt.type_string() }}) as code_example,
    cast(is_protected as {{ dbt.type_boolean() }}) as is_protected,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
