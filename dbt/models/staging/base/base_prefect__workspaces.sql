-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspaces', false)) }}

with connections as (

    {{ prefect.connections('workspaces', {
        'id': 'workspace_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'account_id': 'account_id',
        'name': 'workspace_name',
        'description': 'description',
        'handle': 'handle',
        'default_workspace_role_id': 'default_workspace_role_id',
        'is_public': 'is_public',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(workspace_id as {{ dbt.type_string() }}) as workspace_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    cast(workspace_name as {{ dbt.type_string() }}) as workspace_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(handle as {{ dbt.type_string() }}) as handle,
    cast(default_workspace_role_id as {{ dbt.type_string() }}) as default_workspace_role_id,
    cast(is_public as {{ dbt.type_boolean() }}) as is_public,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
