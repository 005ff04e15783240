-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_account_roles', false)) }}

select
    source_relation,
    account_role_id,
    created_at,
    updated_at,
    account_id,
    account_role_name,
    account_role_permissions,
    is_system_role,
    _fivetran_synced
from {{ ref('base_prefect__account_roles') }}
where not is_deleted
