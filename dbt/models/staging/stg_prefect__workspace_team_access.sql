-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_team_access', false)) }}

select
    source_relation,
    workspace_team_access_id,
    created_at,
    updated_at,
    workspace_id,
    workspace_role_id,
    team_id,
    team_name,
    _fivetran_synced
from {{ ref('base_prefect__workspace_team_access') }}
where not is_deleted
