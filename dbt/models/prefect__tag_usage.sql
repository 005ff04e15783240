-- A table, not incremental: a tag that was taken off the last of its runs must not keep them.
with runs as (

    select *
    from {{ ref('int_prefect__flow_runs') }}
    where not is_deleted

),

tagged as (

    select distinct source_relation, flow_run_id, tag_name
    from (
        {{ prefect.json_elements('runs', ['source_relation', 'flow_run_id'], 'tags', 'tag_name') }}
    ) as tags_of_runs

),

used as (

    select
        runs.source_relation,
        runs.scheduled_date as date_day,
        tagged.tag_name,
        count(*) as runs,
        {{ prefect.count_if("runs.state_type = 'COMPLETED'") }} as completed_runs,
        {{ prefect.count_if('runs.is_failed') }} as failed_runs,
        {{ prefect.count_if('not runs.is_final') }} as open_runs,
        {{ prefect.count_if('runs.retry_count > 0') }} as retried_runs,
        count(distinct runs.flow_id) as flows,
        sum(runs.run_seconds) as run_seconds
    from runs
    left join tagged on tagged.source_relation = runs.source_relation and tagged.flow_run_id = runs.flow_run_id
    group by runs.source_relation, runs.scheduled_date, tagged.tag_name

)

select
    {{ dbt.hash(dbt.concat([
        'source_relation', "'|'", 'cast(date_day as ' ~ dbt.type_string() ~ ')', "'|'",
        "case when tag_name is null then 'untagged' else " ~ dbt.concat(["'tag '", 'tag_name']) ~ ' end'
    ])) }} as tag_usage_id,
    source_relation,
    date_day,
    tag_name,
    runs,
    completed_runs,
    failed_runs,
    open_runs,
    retried_runs,
    cast(failed_runs as {{ prefect.type_double() }}) / nullif(completed_runs + failed_runs, 0) as failure_rate,
    flows,
    run_seconds
from used
