-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_workers', true)) }}

with connections as (

    {{ prefect.connections('workers', {
        'id': 'worker_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'worker_name',
        'work_pool_id': 'work_pool_id',
        'status': 'worker_status',
        'last_heartbeat_time': 'last_heartbeat_time',
        'heartbeat_interval_seconds': 'heartbeat_interval_seconds',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(worker_id as {{ dbt.type_string() }}) as worker_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(worker_name as {{ dbt.type_string() }}) as worker_name,
    cast(work_pool_id as {{ dbt.type_string() }}) as work_pool_id,
    cast(worker_status as {{ dbt.type_string() }}) as worker_status,
    {{ prefect.utc('last_heartbeat_time') }} as last_heartbeat_time,
    cast(heartbeat_interval_seconds as {{ dbt.type_int() }}) as heartbeat_interval_seconds,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
