-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_account_roles', false)) }}

with connections as (

    {{ prefect.connections('account_roles', {
        'id': 'account_role_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'account_id': 'account_id',
        'name': 'account_role_name',
        'permissions': 'account_role_permissions',
        'is_system_role': 'is_system_role',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(account_role_id as {{ dbt.type_string() }}) as account_role_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    cast(account_role_name as {{ dbt.type_string() }}) as account_role_name,
    {{ prefect.json('account_role_permissions') }} as account_role_permissions,
    cast(is_system_role as {{ dbt.type_boolean() }}) as is_system_role,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
