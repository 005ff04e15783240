{#
    Each value that is not null is in a column of another model, in a row of the same source_relation. Rows of a workspace can
    also refer to rows of its account, which are no part of a workspace.
#}
{% test refers_to(model, column_name, to=none, field=none, arguments=none) %}
{%- set to, field = to or arguments['to'], field or arguments['field'] %}
select child.source_relation, child.{{ column_name }}
from {{ model }} as child
left join {{ to }} as parent
    on parent.{{ field }} = child.{{ column_name }}
    and (
        parent.source_relation = child.source_relation
        or child.source_relation like {{ dbt.concat(['parent.source_relation', "'/%'"]) }}
    )
where child.{{ column_name }} is not null and parent.{{ field }} is null
{% endtest %}
