{# An instant as a timestamp in UTC. #}
{% macro utc(column) %}{{ return(adapter.dispatch('utc', 'prefect')(column)) }}{% endmacro %}

{% macro default__utc(column) %}(cast({{ column }} as timestamp with time zone) at time zone 'UTC'){% endmacro %}

{% macro snowflake__utc(column) -%}
    cast(convert_timezone('UTC', cast({{ column }} as timestamp_tz)) as timestamp_ntz)
{%- endmacro %}

{% macro bigquery__utc(column) %}cast({{ column }} as timestamp){% endmacro %}

{% macro spark__utc(column) %}cast({{ column }} as timestamp){% endmacro %}


{# The time of the build in UTC, or that of the variable prefect__now. #}
{% macro now() -%}
    {%- if var('prefect__now', none) -%}
        cast('{{ var("prefect__now") }}' as {{ prefect.type_instant() }})
    {%- else -%}
        {{ adapter.dispatch('now', 'prefect')() }}
    {%- endif -%}
{%- endmacro %}

{% macro default__now() %}cast(now() at time zone 'UTC' as timestamp){% endmacro %}

{% macro snowflake__now() %}sysdate(){% endmacro %}

{% macro redshift__now() %}getdate(){% endmacro %}

{% macro bigquery__now() %}current_timestamp(){% endmacro %}

{% macro spark__now() %}current_timestamp(){% endmacro %}


{# The type of what `utc` returns. #}
{% macro type_instant() %}{{ return(adapter.dispatch('type_instant', 'prefect')()) }}{% endmacro %}

{% macro default__type_instant() %}timestamp{% endmacro %}

{% macro snowflake__type_instant() %}timestamp_ntz{% endmacro %}


{# A double-precision number: dbt's type_float has half of it on some warehouses. #}
{% macro type_double() %}{{ return({'bigquery': 'float64', 'databricks': 'double', 'spark': 'double'}.get(target.type, 'double precision')) }}{% endmacro %}


{# The seconds from one instant to another, with fractions. Null if one is null. #}
{% macro seconds_between(start, end) -%}
    cast({{ adapter.dispatch('seconds_between', 'prefect')(start, end) }} as {{ prefect.type_double() }})
{%- endmacro %}

{% macro default__seconds_between(start, end) %}extract(epoch from ({{ end }} - {{ start }})){% endmacro %}

{% macro snowflake__seconds_between(start, end) %}datediff('microsecond', {{ start }}, {{ end }}) / 1000000.0{% endmacro %}

{% macro redshift__seconds_between(start, end) %}datediff(microsecond, {{ start }}, {{ end }}) / 1000000.0{% endmacro %}

{% macro bigquery__seconds_between(start, end) %}timestamp_diff({{ end }}, {{ start }}, microsecond) / 1000000{% endmacro %}

{% macro spark__seconds_between(start, end) %}(unix_micros({{ end }}) - unix_micros({{ start }})) / 1000000{% endmacro %}


{# The instant some seconds before another. dbt's dateadd changes its type on BigQuery. #}
{% macro seconds_before(instant, seconds) -%}
    {{ return(adapter.dispatch('seconds_before', 'prefect')(instant, seconds)) }}
{%- endmacro %}

{% macro default__seconds_before(instant, seconds) %}({{ instant }} - interval '{{ seconds }} seconds'){% endmacro %}

{% macro bigquery__seconds_before(instant, seconds) %}timestamp_sub({{ instant }}, interval {{ seconds }} second){% endmacro %}

{% macro spark__seconds_before(instant, seconds) %}({{ instant }} - interval {{ seconds }} seconds){% endmacro %}


{# As seconds_between, and 0 if the clocks of two machines put the end before the start. #}
{% macro elapsed_seconds(start, end) -%}
    {%- set seconds = prefect.seconds_between(start, end) -%}
    case when {{ seconds }} < 0 then 0 else {{ seconds }} end
{%- endmacro %}


{# The first day of the day, week (from Monday) or month of an instant. #}
{% macro period_start(period, column) -%}
    {%- set unit = 'isoweek' if period == 'week' and target.type == 'bigquery' else period -%}
    cast({{ dbt.date_trunc(unit, column) }} as date)
{%- endmacro %}


{# Whether an instant is in the days before the build that the variable prefect__recent_days counts. #}
{% macro is_recent(column) -%}
    {{ column }} >= {{ prefect.seconds_before(prefect.now(), 86400 * var('prefect__recent_days', 30)) }}
{%- endmacro %}
