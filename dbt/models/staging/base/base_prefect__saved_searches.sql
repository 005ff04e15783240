-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_saved_searches', true)) }}

with connections as (

    {{ prefect.connections('saved_searches', {
        'id': 'saved_search_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'saved_search_name',
        'filters': 'filters',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(saved_search_id as {{ dbt.type_string() }}) as saved_search_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(saved_search_name as {{ dbt.type_string() }}) as saved_search_name,
    {{ prefect.json('filters') }} as filters,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
