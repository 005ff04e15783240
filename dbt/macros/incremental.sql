{# How an incremental model replaces rows with the same key. #}
{% macro replaces_rows() -%}
    {{ return('delete+insert' if target.type in ('duckdb', 'postgres', 'redshift') else 'merge') }}
{%- endmacro %}


{#
    The rows of a relation that this incremental model may not have: of each connection, those synced since its newest row
    here, less a margin for rows that Fivetran loads late.

    newest: this model's column with the instant at which its rows were synced.
#}
{% macro not_built(relation, newest) -%}
    select synced.*
    from {{ relation }} as synced
    left join (
        select
            source_relation,
            {{ prefect.seconds_before('max(' ~ newest ~ ')', 86400 * var('prefect__lookback_days', 1)) }} as since
        from {{ this }}
        group by source_relation
    ) as built on built.source_relation = synced.source_relation
    where built.since is null or synced._fivetran_synced >= built.since
{%- endmacro %}


{# What identifies a run among those of all connections. #}
{% macro run_key(qualifier='') %}{{ return(dbt.concat([qualifier ~ 'source_relation', "'/'", qualifier ~ 'flow_run_id'])) }}{% endmacro %}


{# Deletes the rows of runs that were deleted after they were built. For a post-hook of an incremental model. #}
{% macro delete_deleted_runs() -%}
    delete from {{ this }}
    where {{ prefect.run_key() }} in (select {{ prefect.run_key() }} from {{ ref('int_prefect__flow_runs') }} where is_deleted)
{%- endmacro %}
