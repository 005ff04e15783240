-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_artifact_collections', true)) }}

select
    source_relation,
    artifact_collection_id,
    created_at,
    updated_at,
    key,
    latest_id,
    artifact_collection_type,
    description,
    data,
    metadata,
    flow_run_id,
    task_run_id,
    _fivetran_synced
from {{ ref('base_prefect__artifact_collections') }}
where not is_deleted
