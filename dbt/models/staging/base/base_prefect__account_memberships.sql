-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_account_memberships', false)) }}

with connections as (

    {{ prefect.connections('account_memberships', {
        'id': 'account_membership_id',
        'actor_id': 'actor_id',
        'user_id': 'user_id',
        'first_name': 'first_name',
        'last_name': 'last_name',
        'handle': 'handle',
        'email': 'email',
        'account_role_id': 'account_role_id',
        'account_role_name': 'account_role_name',
        'last_login': 'last_login',
        'active': 'is_active',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(account_membership_id as {{ dbt.type_string() }}) as account_membership_id,
    cast(actor_id as {{ dbt.type_string() }}) as actor_id,
    cast(user_id as {{ dbt.type_string() }}) as user_id,
    cast(first_name as {{ dbt.type_string() }}) as first_name,
    cast(last_name as {{ dbt.type_string() }}) as last_name,
    cast(handle as {{ dbt.type_string() }}) as handle,
    cast(email as {{ dbt.type_string() }}) as email,
    cast(account_role_id as {{ dbt.type_string() }}) as account_role_id,
    cast(account_role_name as {{ dbt.type_string() }}) as account_role_name,
    {{ prefect.utc('last_login') }} as last_login,
    cast(is_active as {{ dbt.type_boolean() }}) as is_active,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
