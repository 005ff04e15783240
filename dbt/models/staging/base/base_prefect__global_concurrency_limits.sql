-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_global_concurrency_limits', true)) }}

with connections as (

    {{ prefect.connections('global_concurrency_limits', {
        'id': 'global_concurrency_limit_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'global_concurrency_limit_name',
        'active': 'is_active',
        'concurrency_limit': 'concurrency_limit',
        'active_slots': 'active_slots',
        'slot_decay_per_second': 'slot_decay_per_second',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(global_concurrency_limit_id as {{ dbt.type_string() }}) as global_concurrency_limit_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(global_concurrency_limit_name as {{ dbt.type_string() }}) as global_concurrency_limit_name,
    cast(is_active as {{ dbt.type_boolean() }}) as is_active,
    cast(concurrency_limit as {{ dbt.type_int() }}) as concurrency_limit,
    cast(active_slots as {{ dbt.type_int() }}) as active_slots,
    cast(slot_decay_per_second as {{ prefect.type_double() }}) as slot_decay_per_second,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
