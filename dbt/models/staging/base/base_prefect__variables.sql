-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_variables', false)) }}

with connections as (

    {{ prefect.connections('variables', {
        'id': 'variable_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'variable_name',
        'value': 'value',
        'tags': 'tags',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(variable_id as {{ dbt.type_string() }}) as variable_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(variable_name as {{ dbt.type_string() }}) as variable_name,
    {{ prefect.json('value') }} as value,
    {{ prefect.json('tags') }} as tags,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
