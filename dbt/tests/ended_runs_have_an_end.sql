-- A run that started and is final has an end: the last change of a run was copied as a whole.
select source_relation, flow_run_id
from {{ ref('stg_prefect__flow_runs') }}
where state_type in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')
    and run_count > 0
    and end_time is null
