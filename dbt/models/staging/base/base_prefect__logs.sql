-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_logs', false)) }}

with connections as (

    {{ prefect.connections('logs', {
        'id': 'log_id',
        'created': 'created_at',
        'timestamp': 'log_timestamp',
        'level': 'level',
        'name': 'log_name',
        'message': 'log_message',
        'flow_run_id': 'flow_run_id',
        'task_run_id': 'task_run_id',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(log_id as {{ dbt.type_string() }}) as log_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('log_timestamp') }} as log_timestamp,
    cast(level as {{ dbt.type_int() }}) as level,
    cast(log_name as {{ dbt.type_string() }}) as log_name,
    cast(log_message as {{ dbt.type_string() }}) as log_message,
    cast(flow_run_id as {{ dbt.type_string() }}) as flow_run_id,
    cast(task_run_id as {{ dbt.type_string() }}) as task_run_id,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
