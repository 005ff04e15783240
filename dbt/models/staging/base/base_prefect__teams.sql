-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_teams', false)) }}

with connections as (

    {{ prefect.connections('teams', {
        'id': 'team_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'account_id': 'account_id',
        'name': 'team_name',
        'description': 'description',
        'memberships': 'memberships',
        'workspaces': 'workspaces',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(team_id as {{ dbt.type_string() }}) as team_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    cast(team_name as {{ dbt.type_string() }}) as team_name,
    cast(description as {{ dbt.type_string() }}) as description,
    {{ prefect.json('memberships') }} as memberships,
    {{ prefect.json('workspaces') }} as workspaces,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
