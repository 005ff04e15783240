{# A column of JSON, in the type that Fivetran gives it. BigQuery has columns of two types, and functions that read both. #}
{% macro json(column) -%}
    {%- set types = {'duckdb': 'json', 'postgres': 'jsonb', 'snowflake': 'variant', 'redshift': 'super', 'databricks': 'string'} -%}
    {{ 'cast(' ~ column ~ ' as ' ~ types[target.type] ~ ')' if target.type in types else column }}
{%- endmacro %}


{# A value of a JSON object as a string. #}
{% macro json_text(column, key) %}{{ return(adapter.dispatch('json_text', 'prefect')(column, key)) }}{% endmacro %}

{% macro default__json_text(column, key) %}json_extract_string({{ column }}, '$.{{ key }}'){% endmacro %}

{% macro postgres__json_text(column, key) %}({{ column }} ->> '{{ key }}'){% endmacro %}

{% macro redshift__json_text(column, key) -%}
    json_extract_path_text(json_serialize({{ column }}), '{{ key }}', true)
{%- endmacro %}

{% macro snowflake__json_text(column, key) %}cast(get_path({{ column }}, '{{ key }}') as varchar){% endmacro %}

{% macro bigquery__json_text(column, key) %}json_value({{ column }}, '$.{{ key }}'){% endmacro %}

{% macro spark__json_text(column, key) %}get_json_object({{ column }}, '$.{{ key }}'){% endmacro %}


{#
    A query for one row per element of a JSON array of strings.

    relation: a table or CTE.
    keys: its columns in the result.
    column: the column with the array.
    element: the name of the column with the element.
#}
{% macro json_elements(relation, keys, column, element) -%}
    {{ return(adapter.dispatch('json_elements', 'prefect')(relation, keys, column, element)) }}
{%- endmacro %}

{% macro default__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, unnest(cast({{ column }} as varchar[])) as {{ element }}
    from {{ relation }}
{%- endmacro %}

{% macro postgres__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, {{ element }}
    from {{ relation }}
    cross join lateral jsonb_array_elements_text({{ column }}) as elements ({{ element }})
{%- endmacro %}

{% macro redshift__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, cast({{ element }} as varchar) as {{ element }}
    from {{ relation }} as arrays, arrays.{{ column }} as {{ element }}
{%- endmacro %}

{% macro snowflake__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, cast(elements.value as varchar) as {{ element }}
    from {{ relation }}, lateral flatten(input => {{ column }}) as elements
{%- endmacro %}

{% macro bigquery__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, {{ element }}
    from {{ relation }}, unnest(json_value_array({{ column }})) as {{ element }}
{%- endmacro %}

{% macro spark__json_elements(relation, keys, column, element) -%}
    select {{ keys | join(', ') }}, {{ element }}
    from {{ relation }}
    lateral view explode(from_json({{ column }}, 'array<string>')) as {{ element }}
{%- endmacro %}
