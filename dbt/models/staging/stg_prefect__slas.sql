-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_slas', false)) }}

select
    source_relation,
    sla_id,
    created_at,
    updated_at,
    sla_name,
    description,
    is_enabled,
    sla_type,
    severity,
    sla_trigger,
    labels,
    tags,
    _fivetran_synced
from {{ ref('base_prefect__slas') }}
where not is_deleted
