-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flow_run_inputs', false)) }}

with connections as (

    {{ prefect.connections('flow_run_inputs', {
        'id': 'flow_run_input_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'flow_run_id': 'flow_run_id',
        'key': 'key',
        'value': 'value',
        'sender': 'sender',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(flow_run_input_id as {{ dbt.type_string() }}) as flow_run_input_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(flow_run_id as {{ dbt.type_string() }}) as flow_run_id,
    cast(key as {{ dbt.type_string() }}) as key,
    cast(value as {{ dbt.type_string() }}) as value,
    cast(sender as {{ dbt.type_string() }}) as sender,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
