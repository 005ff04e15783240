-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_team_access', false)) }}

with connections as (

    {{ prefect.connections('workspace_team_access', {
        'id': 'workspace_team_access_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'workspace_id': 'workspace_id',
        'workspace_role_id': 'workspace_role_id',
        'team_id': 'team_id',
        'team_name': 'team_name',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(workspace_team_access_id as {{ dbt.type_string() }}) as workspace_team_access_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(workspace_id as {{ dbt.type_string() }}) as workspace_id,
    cast(workspace_role_id as {{ dbt.type_string() }}) as workspace_role_id,
    cast(team_id as {{ dbt.type_string() }}) as team_id,
    cast(team_name as {{ dbt.type_string() }}) as team_name,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
