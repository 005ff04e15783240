-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flows', true)) }}

with connections as (

    {{ prefect.connections('flows', {
        'id': 'flow_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'flow_name',
        'tags': 'tags',
        'labels': 'labels',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(flow_id as {{ dbt.type_string() }}) as flow_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(flow_name as {{ dbt.type_string() }}) as flow_name,
    {{ prefect.json('tags') }} as tags,
    {{ prefect.json('labels') }} as labels,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
