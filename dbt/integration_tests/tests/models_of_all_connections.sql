-- Every model tells connections and workspaces apart, and works without the tables that this project does not have.
with found as (

    select 'daily' as model, count(distinct source_relation) as connections, sum(runs) as total
    from {{ ref('prefect', 'prefect__daily_metrics') }} where grouped_by = 'workspace'
    union all
    select 'stuck', count(distinct source_relation), count(*) from {{ ref('prefect', 'prefect__stuck_runs') }}
    union all
    select 'tags', count(distinct source_relation), sum(runs) from {{ ref('prefect', 'prefect__tag_usage') }} where tag_name = 'team'
    union all
    select 'deployments', count(distinct source_relation), count(*) from {{ ref('prefect', 'prefect__deployment_health') }}

)

select *
from found
where not (
    (model = 'daily' and connections = 3 and total = 4)
    or (model = 'stuck' and connections = 1 and total = 1)
    or (model = 'tags' and connections = 2 and total = 2)
    or (model = 'deployments' and connections = 0 and total = 0)
)
