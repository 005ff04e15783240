-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_runs', true)) }}

with connections as (

    {{ prefect.connections('task_runs', {
        'id': 'task_run_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'name': 'task_run_name',
        'flow_run_id': 'flow_run_id',
        'task_key': 'task_key',
        'dynamic_key': 'dynamic_key',
        'cache_key': 'cache_key',
        'cache_expiration': 'cache_expiration',
        'task_version': 'task_version',
        'state_id': 'state_id',
        'state_type': 'state_type',
        'state_name': 'state_name',
        'state_message': 'state_message',
        'state_timestamp': 'state_timestamp',
        'expected_start_time': 'expected_start_time',
        'next_scheduled_start_time': 'next_scheduled_start_time',
        'start_time': 'start_time',
        'end_time': 'end_time',
        'total_run_time': 'total_run_time',
        'run_count': 'run_count',
        'flow_run_run_count': 'flow_run_run_count',
        'estimated_run_time': 'estimated_run_time',
        'estimated_start_time_delta': 'estimated_start_time_delta',
        'tags': 'tags',
        'labels': 'labels',
        'task_inputs': 'task_inputs',
        'empirical_policy': 'empirical_policy',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(task_run_id as {{ dbt.type_string() }}) as task_run_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(task_run_name as {{ dbt.type_string() }}) as task_run_name,
    cast(flow_run_id as {{ dbt.type_string() }}) as flow_run_id,
    cast(task_key as {{ dbt.type_string() }}) as task_key,
    cast(dynamic_key as {{ dbt.type_string() }}) as dynamic_key,
    cast(cache_key as {{ dbt.type_string() }}) as cache_key,
    {{ prefect.utc('cache_expiration') }} as cache_expiration,
    cast(task_version as {{ dbt.type_string() }}) as task_version,
    cast(state_id as {{ dbt.type_string() }}) as state_id,
    cast(state_type as {{ dbt.type_string() }}) as state_type,
    cast(state_name as {{ dbt.type_string() }}) as state_name,
    cast(state_message as {{ dbt.type_string() }}) as state_message,
    {{ prefect.utc('state_timestamp') }} as state_timestamp,
    {{ prefect.utc('expected_start_time') }} as expected_start_time,
    {{ prefect.utc('next_scheduled_start_time') }} as next_scheduled_start_time,
    {{ prefect.utc('start_time') }} as start_time,
    {{ prefect.utc('end_time') }} as end_time,
    cast(total_run_time as {{ prefect.type_double() }}) as total_run_time,
    cast(run_count as {{ dbt.type_int() }}) as run_count,
    cast(flow_run_run_count as {{ dbt.type_int() }}) as flow_run_run_count,
    cast(estimated_run_time as {{ prefect.type_double() }}) as estimated_run_time,
    cast(estimated_start_time_delta as {{ prefect.type_double() }}) as estimated_start_time_delta,
    {{ prefect.json('tags') }} as tags,
    {{ prefect.json('labels') }} as labels,
    {{ prefect.json('task_inputs') }} as task_inputs,
    {{ prefect.json('empirical_policy') }} as empirical_policy,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
