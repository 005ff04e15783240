-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_workers', false)) }}

with connections as (

    {{ prefect.connections('task_workers', {
        'identifier': 'identifier',
        'task_keys': 'task_keys',
        'timestamp': 'task_worker_timestamp',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(identifier as {{ dbt.type_string() }}) as identifier,
    {{ prefect.json('task_keys') }} as task_keys,
    {{ prefect.utc('task_worker_timestamp') }} as task_worker_timestamp,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
