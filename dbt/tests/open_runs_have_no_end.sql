-- A run that is not final has no end: Prefect clears end_time when a run leaves a final state.
select source_relation, flow_run_id
from {{ ref('stg_prefect__flow_runs') }}
where state_type in ('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING')
    and end_time is not null
