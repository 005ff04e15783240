-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flow_run_inputs', false)) }}

select
    source_relation,
    flow_run_input_id,
    created_at,
    updated_at,
    flow_run_id,
    key,
    value,
    sender,
    _fivetran_synced
from {{ ref('base_prefect__flow_run_inputs') }}
where not is_deleted
