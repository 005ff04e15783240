-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_bot_access', false)) }}

with connections as (

    {{ prefect.connections('workspace_bot_access', {
        'id': 'workspace_bot_access_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'workspace_id': 'workspace_id',
        'workspace_role_id': 'workspace_role_id',
        'actor_id': 'actor_id',
        'bot_id': 'bot_id',
        'bot_name': 'bot_name',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(workspace_bot_access_id as {{ dbt.type_string() }}) as workspace_bot_access_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(workspace_id as {{ dbt.type_string() }}) as workspace_id,
    cast(workspace_role_id as {{ dbt.type_string() }}) as workspace_role_id,
    cast(actor_id as {{ dbt.type_string() }}) as actor_id,
    cast(bot_id as {{ dbt.type_string() }}) as bot_id,
    cast(bot_name as {{ dbt.type_string() }}) as bot_name,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
