-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_task_workers', false)) }}

select
    source_relation,
    identifier,
    task_keys,
    task_worker_timestamp,
    _fivetran_synced
from {{ ref('base_prefect__task_workers') }}
where not is_deleted
