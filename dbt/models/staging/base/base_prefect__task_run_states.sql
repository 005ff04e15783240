-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_run_states', false)) }}

with connections as (

    {{ prefect.connections('task_run_states', {
        'id': 'state_id',
        'task_run_id': 'task_run_id',
        'task_run_updated': 'task_run_updated',
        'type': 'state_type',
        'name': 'state_name',
        'timestamp': 'state_timestamp',
        'message': 'state_message',
        'state_details': 'state_details',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(state_id as {{ dbt.type_string() }}) as state_id,
    cast(task_run_id as {{ dbt.type_string() }}) as task_run_id,
    {{ prefect.utc('task_run_updated') }} as task_run_updated,
    cast(state_type as {{ dbt.type_string() }}) as state_type,
    cast(state_name as {{ dbt.type_string() }}) as state_name,
    {{ prefect.utc('state_timestamp') }} as state_timestamp,
    cast(state_message as {{ dbt.type_string() }}) as state_message,
    {{ prefect.json('state_details') }} as state_details,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
