{#
    No two rows have the same values in the columns, and none of them is null.

    dbt before 1.11 hands over `arguments` as written, and later versions what is in it.
#}
{% test unique_key(model, columns=none, arguments=none) %}
{%- set columns = columns or arguments['columns'] %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
    {%- for column in columns %} or {{ column }} is null{% endfor %}
{% endtest %}
