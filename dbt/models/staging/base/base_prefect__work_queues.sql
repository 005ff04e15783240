-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_work_queues', true)) }}

with connections as (

    {{ prefect.connections('work_queues', {
        'id': 'work_queue_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'work_queue_name',
        'description': 'description',
        'work_pool_id': 'work_pool_id',
        'work_pool_name': 'work_pool_name',
        'priority': 'priority',
        'status': 'work_queue_status',
        'is_paused': 'is_paused',
        'concurrency_limit': 'concurrency_limit',
        'active_slots': 'active_slots',
        'last_polled': 'last_polled',
        'filter': 'filter',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(work_queue_id as {{ dbt.type_string() }}) as work_queue_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(work_queue_name as {{ dbt.type_string() }}) as work_queue_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(work_pool_id as {{ dbt.type_string() }}) as work_pool_id,
    cast(work_pool_name as {{ dbt.type_string() }}) as work_pool_name,
    cast(priority as {{ dbt.type_int() }}) as priority,
    cast(work_queue_status as {{ dbt.type_string() }}) as work_queue_status,
    cast(is_paused as {{ dbt.type_boolean() }}) as is_paused,
    cast(concurrency_limit as {{ dbt.type_int() }}) as concurrency_limit,
    cast(active_slots as {{ dbt.type_int() }}) as active_slots,
    {{ prefect.utc('last_polled') }} as last_polled,
    {{ prefect.json('filter') }} as filter,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
