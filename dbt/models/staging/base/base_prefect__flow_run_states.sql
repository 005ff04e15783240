-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flow_run_states', false)) }}

with connections as (

    {{ prefect.connections('flow_run_states', {
        'id': 'state_id',
        'flow_run_id': 'flow_run_id',
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
    cast(flow_run_id as {{ dbt.type_string() }}) as flow_run_id,
    cast(state_type as {{ dbt.type_string() }}) as state_type,
    cast(state_name as {{ dbt.type_string() }}) as state_name,
    {{ prefect.utc('state_timestamp') }} as state_timestamp,
    cast(state_message as {{ dbt.type_string() }}) as state_message,
    {{ prefect.json('state_details') }} as state_details,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
