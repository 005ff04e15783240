-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flow_run_notification_policies', false)) }}

select
    source_relation,
    flow_run_notification_policy_id,
    created_at,
    updated_at,
    is_active,
    state_names,
    tags,
    block_document_id,
    message_template,
    _fivetran_synced
from {{ ref('base_prefect__flow_run_notification_policies') }}
where not is_deleted
