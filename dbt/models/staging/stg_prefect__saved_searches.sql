-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_saved_searches', true)) }}

select
    source_relation,
    saved_search_id,
    created_at,
    updated_at,
    saved_search_name,
    filters,
    _fivetran_synced
from {{ ref('base_prefect__saved_searches') }}
where not is_deleted
