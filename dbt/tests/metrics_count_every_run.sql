-- The metrics of all days, weeks and months count each run once, in its state.
{% set states = ('scheduled', 'pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'crashed', 'cancelled') %}
with runs as (

    select
        source_relation,
        count(*) as runs
        {%- for state in states %},
        {{ prefect.count_if("state_type = '" ~ state | upper ~ "'") }} as {{ state }}_runs
        {%- endfor %}
    from {{ ref('prefect__flow_runs_enhanced') }}
    group by source_relation

),

metrics as (
    {% for period in ('daily', 'weekly', 'monthly') %}
    select
        '{{ period }}' as period,
        source_relation,
        sum(runs) as runs
        {%- for state in states %},
        sum({{ state }}_runs) as {{ state }}_runs
        {%- endfor %}
    from {{ ref('prefect__' ~ period ~ '_metrics') }}
    where grouped_by = 'workspace'
    group by source_relation
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

)

select metrics.*
from metrics
left join runs on runs.source_relation = metrics.source_relation
where metrics.runs <> coalesce(runs.runs, 0)
    {%- for state in states %}
    or metrics.{{ state }}_runs <> coalesce(runs.{{ state }}_runs, 0)
    {%- endfor %}
