-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_roles', false)) }}

with connections as (

    {{ prefect.connections('workspace_roles', {
        'id': 'workspace_role_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'account_id': 'account_id',
        'name': 'workspace_role_name',
        'description': 'description',
        'scopes': 'scopes',
        'inherited_role_id': 'inherited_role_id',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(workspace_role_id as {{ dbt.type_string() }}) as workspace_role_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    cast(workspace_role_name as {{ dbt.type_string() }}) as workspace_role_name,
    cast(description as {{ dbt.type_string() }}) as description,
    {{ prefect.json('scopes') }} as scopes,
    cast(inherited_role_id as {{ dbt.type_string() }}) as inherited_role_id,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
