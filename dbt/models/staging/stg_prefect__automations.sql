-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_automations', true)) }}

select
    source_relation,
    automation_id,
    created_at,
    updated_at,
    automation_name,
    description,
    is_enabled,
    tags,
    automation_trigger,
    actions,
    actions_on_trigger,
    actions_on_resolve,
    _fivetran_synced
from {{ ref('base_prefect__automations') }}
where not is_deleted
