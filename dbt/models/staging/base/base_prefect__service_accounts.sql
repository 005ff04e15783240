-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_service_accounts', false)) }}

with connections as (

    {{ prefect.connections('service_accounts', {
        'id': 'service_account_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'actor_id': 'actor_id',
        'account_id': 'account_id',
        'name': 'service_account_name',
        'account_role_name': 'account_role_name',
        'api_key_id': 'api_key_id',
        'api_key_name': 'api_key_name',
        'api_key_created': 'api_key_created',
        'api_key_expiration': 'api_key_expiration',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(service_account_id as {{ dbt.type_string() }}) as service_account_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(actor_id as {{ dbt.type_string() }}) as actor_id,
    cast(account_id as {{ dbt.type_string() }}) as account_id,
    cast(service_account_name as {{ dbt.type_string() }}) as service_account_name,
    cast(account_role_name as {{ dbt.type_string() }}) as account_role_name,
    cast(api_key_id as {{ dbt.type_string() }}) as api_key_id,
    cast(api_key_name as {{ dbt.type_string() }}) as api_key_name,
    {{ prefect.utc('api_key_created') }} as api_key_created,
    {{ prefect.utc('api_key_expiration') }} as api_key_expiration,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
