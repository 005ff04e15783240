-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_accounts', false)) }}

select
    source_relation,
    account_id,
    created_at,
    updated_at,
    account_name,
    handle,
    account_status,
    status_last_updated,
    plan_type,
    plan_tier,
    self_serve,
    features,
    run_retention_days,
    audit_log_retention_days,
    automations_limit,
    max_deployments_per_workspace,
    work_pool_limit,
    sso_state,
    scim_state,
    auth_expiration_seconds,
    location,
    link,
    billing_email,
    allow_public_workspaces,
    ai_log_summaries,
    managed_execution,
    _fivetran_synced
from {{ ref('base_prefect__accounts') }}
where not is_deleted
