-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_webhooks', false)) }}

with connections as (

    {{ prefect.connections('webhooks', {
        'id': 'webhook_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'webhook_name',
        'description': 'description',
        'enabled': 'is_enabled',
        'slug': 'slug',
        'template': 'template',
        'service_account_id': 'service_account_id',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(webhook_id as {{ dbt.type_string() }}) as webhook_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(webhook_name as {{ dbt.type_string() }}) as webhook_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(is_enabled as {{ dbt.type_boolean() }}) as is_enabled,
    cast(slug as {{ dbt.type_string() }}) as slug,
    cast(template as {{ dbt.type_string() }}) as template,
    cast(service_account_id as {{ dbt.type_string() }}) as service_account_id,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
