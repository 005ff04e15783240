-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workspace_bot_access', false)) }}

select
    source_relation,
    workspace_bot_access_id,
    created_at,
    updated_at,
    workspace_id,
    workspace_role_id,
    actor_id,
    bot_id,
    bot_name,
    _fivetran_synced
from {{ ref('base_prefect__workspace_bot_access') }}
where not is_deleted
