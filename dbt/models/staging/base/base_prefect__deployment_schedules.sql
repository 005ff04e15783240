-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_deployment_schedules', true)) }}

with connections as (

    {{ prefect.connections('deployment_schedules', {
        'id': 'deployment_schedule_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'deployment_id': 'deployment_id',
        'active': 'is_active',
        'schedule': 'schedule',
        'cron': 'cron',
        'interval_seconds': 'interval_seconds',
        'rrule': 'rrule',
        'timezone': 'timezone',
        'max_scheduled_runs': 'max_scheduled_runs',
        'parameters': 'parameters',
        'slug': 'slug',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(deployment_schedule_id as {{ dbt.type_string() }}) as deployment_schedule_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(deployment_id as {{ dbt.type_string() }}) as deployment_id,
    cast(is_active as {{ dbt.type_boolean() }}) as is_active,
    {{ prefect.json('schedule') }} as schedule,
    cast(cron as {{ dbt.type_string() }}) as cron,
    cast(interval_seconds as {{ prefect.type_double() }}) as interval_seconds,
    cast(rrule as {{ dbt.type_string() }}) as rrule,
    cast(timezone as {{ dbt.type_string() }}) as timezone,
    cast(max_scheduled_runs as {{ dbt.type_int() }}) as max_scheduled_runs,
    {{ prefect.json('parameters') }} as parameters,
    cast(slug as {{ dbt.type_string() }}) as slug,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
