-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_accounts', false)) }}

with connections as (

    {{ prefect.connections('accounts', {
        'id': 'account_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'account_name',
        'handle': 'handle',
        'status': 'account_status',
        'status_last_updated': 'status_last_updated',
        'plan_type': 'plan_type',
        'plan_tier': 'plan_tier',
        'self_serve': 'self_serve',
        'features': 'features',
        'run_retention_days': 'run_retention_days',
        'audit_log_retention_days': 'audit_log_retention_days',
        'automations_limit': 'automations_limit',
        'max_deployments_per_workspace': 'max_deployments_per_workspace',
        'work_pool_limit': 'work_pool_limit',
        'sso_state': 'sso_state',
        'scim_state': 'scim_state',
        'auth_expiration_seconds': 'auth_expiration_seconds',
        'location': 'location',
        'link': 'link',
        'billing_email': 'billing_email',
        'allow_public_workspaces': 'allow_public_workspaces',
        'ai_log_summaries': 'ai_log_summaries',
        'managed_execution': 'managed_execution',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(account_name as {{ dbt.type_string() }}) as account_name,
    cast(handle as {{ dbt.type_string() }}) as handle,
    cast(account_status as {{ dbt.type_string() }}) as account_status,
    {{ prefect.utc('status_last_updated') }} as status_last_updated,
    cast(plan_type as {{ dbt.type_string() }}) as plan_type,
    cast(plan_tier as {{ dbt.type_string() }}) as plan_tier,
    cast(self_serve as {{ dbt.type_boolean() }}) as self_serve,
    {{ prefect.json('features') }} as features,
    cast(run_retention_days as {{ dbt.type_int() }}) as run_retention_days,
    cast(audit_log_retention_days as {{ dbt.type_int() }}) as audit_log_retention_days,
    cast(automations_limit as {{ dbt.type_int() }}) as automations_limit,
    cast(max_deployments_per_workspace as {{ dbt.type_int() }}) as max_deployments_per_workspace,
    cast(work_pool_limit as {{ dbt.type_int() }}) as work_pool_limit,
    cast(sso_state as {{ dbt.type_string() }}) as sso_state,
    cast(scim_state as {{ dbt.type_string() }}) as scim_state,
    cast(auth_expiration_seconds as {{ dbt.type_bigint() }}) as auth_expiration_seconds,
    cast(location as {{ dbt.type_string() }}) as location,
    cast(link as {{ dbt.type_string() }}) as link,
    cast(billing_email as {{ dbt.type_string() }}) as billing_email,
    cast(allow_public_workspaces as {{ dbt.type_boolean() }}) as allow_public_workspaces,
    cast(ai_log_summaries as {{ dbt.type_boolean() }}) as ai_log_summaries,
    cast(managed_execution as {{ dbt.type_boolean() }}) as managed_execution,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
