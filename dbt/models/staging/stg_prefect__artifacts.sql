-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_artifacts', true)) }}

select
    source_relation,
    artifact_id,
    created_at,
    updated_at,
    key,
    artifact_type,
    description,
    data,
    metadata,
    flow_run_id,
    task_run_id,
    _fivetran_synced
from {{ ref('base_prefect__artifacts') }}
where not is_deleted
