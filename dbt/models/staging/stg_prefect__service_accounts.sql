-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_service_accounts', false)) }}

select
    source_relation,
    service_account_id,
    created_at,
    updated_at,
    actor_id,
    account_id,
    service_account_name,
    account_role_name,
    api_key_id,
    api_key_name,
    api_key_created,
    api_key_expiration,
    _fivetran_synced
from {{ ref('base_prefect__service_accounts') }}
where not is_deleted
