-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_slas', false)) }}

with connections as (

    {{ prefect.connections('slas', {
        'id': 'sla_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'sla_name',
        'description': 'description',
        'enabled': 'is_enabled',
        'type': 'sla_type',
        'severity': 'severity',
        'trigger': 'sla_trigger',
        'labels': 'labels',
        'tags': 'tags',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(sla_id as {{ dbt.type_string() }}) as sla_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(sla_name as {{ dbt.type_string() }}) as sla_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(is_enabled as {{ dbt.type_boolean() }}) as is_enabled,
    cast(sla_type as {{ dbt.type_string() }}) as sla_type,
    cast(severity as {{ dbt.type_string() }}) as severity,
    {{ prefect.json('sla_trigger') }} as sla_trigger,
    {{ prefect.json('labels') }} as labels,
    {{ prefect.json('tags') }} as tags,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
