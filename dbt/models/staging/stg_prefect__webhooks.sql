-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_webhooks', false)) }}

select
    source_relation,
    webhook_id,
    created_at,
    updated_at,
    webhook_name,
    description,
    is_enabled,
    slug,
    template,
    service_account_id,
    _fivetran_synced
from {{ ref('base_prefect__webhooks') }}
where not is_deleted
