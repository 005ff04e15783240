{#
    The rows of a table of the connector, from every connection and workspace, with `source_relation`, which says from
    which. Columns that a warehouse does not have are null, and a table that it does not have is empty.

    columns: the columns in the table, and the names that they get.
#}
{% macro connections(table, columns) %}
    {%- set found, types = [], {} -%}
    {%- set relations = prefect.relations(table) -%}
    {%- for relation in relations -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do types.update({column.name | lower: column.data_type}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for relation in relations -%}
        {%- do found.append(prefect.rows_of(relation, columns, types)) -%}
    {%- endfor -%}
    {{- found | join('\nunion all\n') if found else prefect.no_rows(columns) -}}
{% endmacro %}

{# The relations of all connections that have the table. Every connection has flow_runs, unless its schema is misspelt. #}
{% macro relations(table) %}
    {%- set found = [] -%}
    {%- set identifier = var('prefect_' ~ table ~ '_identifier', table) -%}
    {%- if var('prefect_sources', []) -%}
        {%- for connection in var('prefect_sources') if execute -%}
            {%- set database, schema = connection.get('database', target.database), connection['schema'] -%}
            {%- set relation = adapter.get_relation(database, schema, identifier) -%}
            {%- do found.append(relation) -%}
            {%- if table == 'flow_runs' and relation is none -%}
                {%- do prefect.tell('There is no table ' ~ schema ~ '.' ~ identifier ~ ': no run of this connection is in the models.') -%}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {%- set declared = source('prefect', table) -%}
        {%- do found.append(adapter.get_relation(declared.database, declared.schema, declared.identifier)) if execute -%}
    {%- endif -%}
    {%- set present = found | reject('none') | list -%}
    {%- if execute and not present -%}
        {%- do prefect.tell('There is no table ' ~ identifier ~ ': its models are empty. Set prefect__using_' ~ table ~ ' to false '
            ~ 'if the connector does not sync it.') -%}
    {%- endif -%}
    {{- return(present) -}}
{% endmacro %}

{# Prints a line while models are built. #}
{% macro tell(message) %}
    {%- if flags.WHICH in ('build', 'run') -%}
        {%- do log(message, info=true) -%}
    {%- endif -%}
{% endmacro %}

{# The rows of one connection. A column that it lacks has the type that the others give it. #}
{% macro rows_of(relation, columns, types) %}
    {%- set quoted = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do quoted.update({column.name | lower: adapter.quote(column.name)}) -%}
    {%- endfor -%}
    {%- set origin = dbt.string_literal(relation.database ~ '.' ~ relation.schema) -%}
    {%- if 'workspace_id' in quoted and 'workspace_id' not in columns -%}
        {%- set origin = dbt.concat([dbt.string_literal(relation.database ~ '.' ~ relation.schema ~ '/'), quoted['workspace_id']]) -%}
    {%- endif -%}
    select
        cast({{ origin }} as {{ dbt.type_string() }}) as source_relation
        {%- for name, staged in columns.items() %},
        {{ quoted.get(name, 'cast(null as ' ~ types.get(name, dbt.type_string()) ~ ')') }} as {{ staged }}
        {%- endfor %}
    from {{ relation }}
{%- endmacro %}

{# The rows of a table that no connection has. #}
{% macro no_rows(columns) %}
    select
        cast(null as {{ dbt.type_string() }}) as source_relation
        {%- for staged in columns.values() %},
        cast(null as {{ dbt.type_string() }}) as {{ staged }}
        {%- endfor %}
    from (select 1 as nothing) as no_table
    where 1 = 0
{%- endmacro %}
