{#
    Counts, durations and lateness of the runs of each day, week or month: of the workspace, of each flow and of each
    deployment.

    Percentiles cannot be added up, so each grouping has rows of its own. Runs that are deleted keep their group, with counts of
    0, so that an incremental build replaces it. It builds the periods with runs that were synced since, and those whose number
    of runs is another: a re-sync deletes runs and leaves their _fivetran_synced as it was. Durations and lateness have a query each because Redshift does not sort
    by two columns in one.
#}
{% macro period_metrics(period) %}
{%- set date = 'date_' ~ period -%}
with runs as (

    select *, {{ prefect.period_start(period, 'expected_start_time') }} as {{ date }}
    from {{ ref('int_prefect__flow_runs') }}
    {% if is_incremental() -%}
    where {{ prefect.period_start(period, 'expected_start_time') }} in (
        select {{ prefect.period_start(period, 'expected_start_time') }}
        from (
            {{ prefect.not_built(ref('int_prefect__flow_runs'), 'last_synced_at') }}
        ) as changed
        union all
        select built.{{ date }}
        from {{ this }} as built
        inner join (
            select
                source_relation,
                {{ prefect.period_start(period, 'expected_start_time') }} as {{ date }},
                {{ prefect.count_if('not is_deleted') }} as runs
            from {{ ref('int_prefect__flow_runs') }}
            group by 1, 2
        ) as present on present.source_relation = built.source_relation and present.{{ date }} = built.{{ date }}
        where built.grouped_by = 'workspace' and built.runs <> present.runs
    )
    {%- endif %}

),

grouped as (
    {% for grouping in ('workspace', 'flow', 'deployment') %}
    select
        '{{ grouping }}' as grouped_by,
        {{ 'cast(null as ' ~ dbt.type_string() ~ ')' if grouping == 'workspace' else 'flow_id' }} as grouped_flow_id,
        {{ 'deployment_id' if grouping == 'deployment' else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as grouped_deployment_id,
        runs.*
    from runs
    {% if grouping == 'deployment' %}where deployment_id is not null{% endif %}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}

),

keyed as (

    select
        {{ dbt.hash(dbt.concat([
            'source_relation', "'|'", 'grouped_by', "'|'", 'cast(' ~ date ~ ' as ' ~ dbt.type_string() ~ ')', "'|'",
            "coalesce(grouped_flow_id, '')", "'|'", "coalesce(grouped_deployment_id, '')"
        ])) }} as metrics_id,
        *
    from grouped

),

counts as (

    select
        metrics_id,
        source_relation,
        grouped_by,
        {{ date }},
        grouped_flow_id as flow_id,
        grouped_deployment_id as deployment_id,
        {{ prefect.count_if('not is_deleted') }} as runs,
        {% for state in ('scheduled', 'pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'crashed', 'cancelled') -%}
        {{ prefect.count_if("not is_deleted and state_type = '" ~ state | upper ~ "'") }} as {{ state }}_runs,
        {% endfor -%}
        {{ prefect.count_if('not is_deleted and is_final and not has_started') }} as never_started_runs,
        {{ prefect.count_if('not is_deleted and retry_count > 0') }} as retried_runs,
        {{ prefect.count_if('not is_deleted and lateness_seconds > ' ~ var('prefect__late_after_seconds', 30)) }} as late_runs,
        sum(case when not is_deleted then run_seconds else 0 end) as run_seconds,
        max(_fivetran_synced) as last_synced_at
    from keyed
    group by metrics_id, source_relation, grouped_by, {{ date }}, grouped_flow_id, grouped_deployment_id

),

durations as (

    select metrics_id, {{ prefect.percentiles('duration_seconds') }}
    from keyed
    where duration_seconds is not null and not is_deleted
    group by metrics_id

),

lateness as (

    select metrics_id, {{ prefect.percentiles('lateness_seconds') }}
    from keyed
    where lateness_seconds is not null and not is_deleted
    group by metrics_id

)

select
    counts.metrics_id,
    counts.source_relation,
    counts.{{ date }},
    counts.grouped_by,
    counts.flow_id,
    flows.flow_name,
    counts.deployment_id,
    {% if var('prefect__using_deployments', true) -%}
    deployments.deployment_name,
    {%- else -%}
    cast(null as {{ dbt.type_string() }}) as deployment_name,
    {%- endif %}
    counts.runs,
    {% for state in ('scheduled', 'pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'crashed', 'cancelled') -%}
    counts.{{ state }}_runs,
    {% endfor -%}
    counts.never_started_runs,
    counts.retried_runs,
    counts.late_runs,
    cast(counts.failed_runs + counts.crashed_runs as {{ prefect.type_double() }})
        / nullif(counts.completed_runs + counts.failed_runs + counts.crashed_runs, 0) as failure_rate,
    counts.run_seconds,
    {% for measure in ('duration', 'lateness') -%}
    {% set relation = 'durations' if measure == 'duration' else 'lateness' -%}
    {% for figure in ('p50', 'p90', 'p99', 'max') -%}
    {{ relation }}.{{ measure }}_seconds_{{ figure }},
    {% endfor -%}
    {% endfor -%}
    counts.last_synced_at
from counts
left join durations on durations.metrics_id = counts.metrics_id
left join lateness on lateness.metrics_id = counts.metrics_id
left join {{ ref('base_prefect__flows') }} as flows
    on flows.source_relation = counts.source_relation and flows.flow_id = counts.flow_id
{% if var('prefect__using_deployments', true) -%}
left join {{ ref('base_prefect__deployments') }} as deployments
    on deployments.source_relation = counts.source_relation and deployments.deployment_id = counts.deployment_id
{%- endif %}
{% endmacro %}


{# The number of rows for which a condition holds. #}
{% macro count_if(condition) %}sum(case when {{ condition }} then 1 else 0 end){% endmacro %}


{# The percentiles of a column that users ask for, and its maximum: COLUMN_p50, COLUMN_p90, COLUMN_p99 and COLUMN_max. #}
{% macro percentiles(column) -%}
    {%- for percent in (50, 90, 99) %}
        {{ prefect.percentile(column, percent) }} as {{ column }}_p{{ percent }},
    {%- endfor %}
        max({{ column }}) as {{ column }}_max
{%- endmacro %}
