-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_work_pools', true)) }}

with connections as (

    {{ prefect.connections('work_pools', {
        'id': 'work_pool_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'work_pool_name',
        'description': 'description',
        'type': 'work_pool_type',
        'status': 'work_pool_status',
        'is_paused': 'is_paused',
        'concurrency_limit': 'concurrency_limit',
        'active_slots': 'active_slots',
        'default_queue_id': 'default_queue_id',
        'base_job_template': 'base_job_template',
        'storage_configuration': 'storage_configuration',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(work_pool_id as {{ dbt.type_string() }}) as work_pool_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(work_pool_name as {{ dbt.type_string() }}) as work_pool_name,
    cast(description as {{ dbt.type_string() }}) as description,
    cast(work_pool_type as {{ dbt.type_string() }}) as work_pool_type,
    cast(work_pool_status as {{ dbt.type_string() }}) as work_pool_status,
    cast(is_paused as {{ dbt.type_boolean() }}) as is_paused,
    cast(concurrency_limit as {{ dbt.type_int() }}) as concurrency_limit,
    cast(active_slots as {{ dbt.type_int() }}) as active_slots,
    cast(default_queue_id as {{ dbt.type_string() }}) as default_queue_id,
    {{ prefect.json('base_job_template') }} as base_job_template,
    {{ prefect.json('storage_configuration') }} as storage_configuration,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
