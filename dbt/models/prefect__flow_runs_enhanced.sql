{{ config(materialized='view') }}

select
    runs.source_relation,
    runs.flow_run_id,
    runs.flow_run_name,
    runs.flow_id,
    flows.flow_name,
    runs.deployment_id,
    {% if var('prefect__using_deployments', true) -%}
    deployments.deployment_name,
    {%- else -%}
    cast(null as {{ dbt.type_string() }}) as deployment_name,
    {%- endif %}
    runs.parent_task_run_id,
    runs.work_pool_id,
    runs.work_pool_name,
    runs.work_queue_id,
    runs.work_queue_name,
    runs.state_type,
    runs.state_name,
    runs.state_message,
    runs.state_timestamp,
    runs.is_final,
    runs.is_failed,
    runs.has_started,
    runs.is_auto_scheduled,
    runs.is_subflow_run,
    coalesce(flows.is_deleted, false) as is_flow_deleted,
    {% if var('prefect__using_deployments', true) -%}
    coalesce(deployments.is_deleted, false) as is_deployment_deleted,
    {%- else -%}
    false as is_deployment_deleted,
    {%- endif %}
    runs.created_by_type,
    runs.created_at,
    runs.updated_at,
    runs.expected_start_time,
    runs.next_scheduled_start_time,
    runs.scheduled_date,
    runs.started_at,
    runs.ended_at,
    runs.run_count,
    runs.retry_count,
    runs.lateness_seconds,
    runs.lateness_seconds > {{ var('prefect__late_after_seconds', 30) }} as is_late,
    runs.queued_seconds,
    runs.duration_seconds,
    runs.run_seconds,
    runs.tags,
    runs._fivetran_synced
from {{ ref('int_prefect__flow_runs') }} as runs
left join {{ ref('base_prefect__flows') }} as flows
    on flows.source_relation = runs.source_relation and flows.flow_id = runs.flow_id
{% if var('prefect__using_deployments', true) -%}
left join {{ ref('base_prefect__deployments') }} as deployments
    on deployments.source_relation = runs.source_relation and deployments.deployment_id = runs.deployment_id
{%- endif %}
where not runs.is_deleted
