-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspaces', false)) }}

select
    source_relation,
    workspace_id,
    created_at,
    updated_at,
    account_id,
    workspace_name,
    description,
    handle,
    default_workspace_role_id,
    is_public,
    _fivetran_synced
from {{ ref('base_prefect__workspaces') }}
where not is_deleted
