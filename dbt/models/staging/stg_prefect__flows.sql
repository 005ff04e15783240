-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flows', true)) }}

select
    source_relation,
    flow_id,
    created_at,
    updated_at,
    flow_name,
    tags,
    labels,
    _fivetran_synced
from {{ ref('base_prefect__flows') }}
where not is_deleted
