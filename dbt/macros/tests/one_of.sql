{# Each value that is not null is one of those listed. #}
{% test one_of(model, column_name, values=none, arguments=none) %}
{%- set values = values or arguments['values'] %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not in ('{{ values | join("', '") }}')
{% endtest %}
