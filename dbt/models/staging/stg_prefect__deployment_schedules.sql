-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_deployment_schedules', true)) }}

select
    source_relation,
    deployment_schedule_id,
    created_at,
    updated_at,
    deployment_id,
    is_active,
    schedule,
    cron,
    interval_seconds,
    rrule,
    timezone,
    max_scheduled_runs,
    parameters,
    slug,
    _fivetran_synced
from {{ ref('base_prefect__deployment_schedules') }}
where not is_deleted
