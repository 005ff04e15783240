-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_variables', false)) }}

select
    source_relation,
    variable_id,
    created_at,
    updated_at,
    variable_name,
    value,
    tags,
    _fivetran_synced
from {{ ref('base_prefect__variables') }}
where not is_deleted
