-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_teams', false)) }}

select
    source_relation,
    team_id,
    created_at,
    updated_at,
    account_id,
    team_name,
    description,
    memberships,
    workspaces,
    _fivetran_synced
from {{ ref('base_prefect__teams') }}
where not is_deleted
