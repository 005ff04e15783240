-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_concurrency_limits', true)) }}

with connections as (

    {{ prefect.connections('concurrency_limits', {
        'id': 'concurrency_limit_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'tag': 'concurrency_limit_tag',
        'concurrency_limit': 'concurrency_limit',
        'active_slots': 'active_slots',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(concurrency_limit_id as {{ dbt.type_string() }}) as concurrency_limit_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(concurrency_limit_tag as {{ dbt.type_string() }}) as concurrency_limit_tag,
    cast(concurrency_limit as {{ dbt.type_int() }}) as concurrency_limit,
    {{ prefect.json('active_slots') }} as active_slots,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
