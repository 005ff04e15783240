{# The aggregate that interpolates a percentile. Nulls do not count. On BigQuery, it is approximate. #}
{% macro percentile(column, percent) %}{{ return(adapter.dispatch('percentile', 'prefect')(column, percent)) }}{% endmacro %}

{% macro default__percentile(column, percent) -%}
    percentile_cont({{ percent / 100 }}) within group (order by {{ column }})
{%- endmacro %}

{% macro bigquery__percentile(column, percent) %}approx_quantiles({{ column }}, 1000)[offset({{ percent * 10 }})]{% endmacro %}

{% macro spark__percentile(column, percent) %}percentile({{ column }}, {{ percent / 100 }}){% endmacro %}
