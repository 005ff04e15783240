-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_automations', true)) }}

with connections as (

    {{ prefect.connections('automations', {
        'id': 'automation_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'automation_name',
        'description': 'description',
        'enabled': 'is_enabled',
        'tags': 'tags',
        'trigger': 'automation_trigger',
        'actions': 'actions',
        'actions_on_trigger': 'actions_on_trigger',
        'actions_on_resolve': 'actions_on_resolve',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(automation_id as {{ dbt.type_string() }}) as automation_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(automation_name as {{ dbt.type_string() }}) as automation_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(is_enabled as {{ dbt.type_boolean() }}) as is_enabled,
    {{ prefect.json('tags') }} as tags,
    {{ prefect.json('automation_trigger') }} as automation_trigger,
    {{ prefect.json('actions') }} as actions,
    {{ prefect.json('actions_on_trigger') }} as actions_on_trigger,
    {{ prefect.json('actions_on_resolve') }} as actions_on_resolve,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
