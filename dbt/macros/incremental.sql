{# How an incremental model replaces rows with the same key. #}
{% macro replaces_rows() -%}
    {{ return('delete+insert' if target.type in ('duckdb', 'postgres', 'redshift') else 'merge') }}
{%- endmacro %}

{# From when on synced rows may be missing in an incremental model; for the condition of one. #}
{% macro synced_since(column) -%}
    (
        select coalesce(
            {{ dbt.dateadd('day', -var('prefect__lookback_days', 1), 'max(' ~ column ~ ')') }},
            cast('1970-01-01' as {{ prefect.type_instant() }})
        )
        from {{ this }}
    )
{%- endmacro %}
