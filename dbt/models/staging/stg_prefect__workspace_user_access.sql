-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_user_access', false)) }}

select
    source_relation,
    workspace_user_access_id,
    created_at,
    updated_at,
    workspace_id,
    workspace_role_id,
    actor_id,
    user_id,
    first_name,
    last_name,
    email,
    handle,
    _fivetran_synced
from {{ ref('base_prefect__workspace_user_access') }}
where not is_deleted
