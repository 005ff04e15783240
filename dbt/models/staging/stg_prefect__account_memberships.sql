-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_account_memberships', false)) }}

select
    source_relation,
    account_membership_id,
    actor_id,
    user_id,
    first_name,
    last_name,
    handle,
    email,
    account_role_id,
    account_role_name,
    last_login,
    is_active,
    _fivetran_synced
from {{ ref('base_prefect__account_memberships') }}
where not is_deleted
