-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_roles', false)) }}

select
    source_relation,
    workspace_role_id,
    created_at,
    updated_at,
    account_id,
    workspace_role_name,
    description,
    scopes,
    inherited_role_id,
    _fivetran_synced
from {{ ref('base_prefect__workspace_roles') }}
where not is_deleted
