-- The latest state in a run's history is the state of the run, once both are copied.
{{ config(enabled=var('prefect__using_flow_run_states', false), severity='warn') }}

select runs.source_relation, runs.flow_run_id
from {{ ref('stg_prefect__flow_runs') }} as runs
left join {{ ref('stg_prefect__flow_run_states') }} as states
    on states.source_relation = runs.source_relation and states.state_id = runs.state_id
where runs.state_id is not null and states.state_id is null
