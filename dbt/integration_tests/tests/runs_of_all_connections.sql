-- Runs and flows of two connections and three workspaces keep apart, although they have the same ids.
with expected as (

    select 'one' as origin, 'r1' as flow_run_id, 'etl' as flow_name, false as is_flow_deleted, 'COMPLETED' as state_type
    union all select 'one', 'r2', 'report', true, 'FAILED'
    union all select 'several/w1', 'r1', 'etl of w1', false, 'RUNNING'
    union all select 'several/w2', 'r1', 'etl of w2', false, 'CRASHED'

),

found as (

    select
        replace(source_relation, '{{ target.database }}.{{ target.schema }}_', '') as origin,
        flow_run_id,
        flow_name,
        is_flow_deleted,
        state_type
    from {{ ref('prefect', 'prefect__flow_runs_enhanced') }}

)

(select * from expected except select * from found)
union all
(select * from found except select * from expected)
