-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_events', false)) }}

select
    source_relation,
    event_id,
    occurred,
    received,
    event,
    resource_id,
    resource_name,
    resource,
    related,
    payload,
    follows,
    _fivetran_synced
from {{ ref('base_prefect__events') }}
where not is_deleted
