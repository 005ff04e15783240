-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_events', false)) }}

with connections as (

    {{ prefect.connections('events', {
        'id': 'event_id',
        'occurred': 'occurred',
        'received': 'received',
        'event': 'event',
        'resource_id': 'resource_id',
        'resource_name': 'resource_name',
        'resource': 'resource',
        'related': 'related',
        'payload': 'payload',
        'follows': 'follows',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(event_id as {{ dbt.type_string() }}) as event_id,
    {{ prefect.utc('occurred') }} as occurred,
    {{ prefect.utc('received') }} as received,
    cast(event as {{ dbt.type_string() }}) as event,
    cast(resource_id as {{ dbt.type_string() }}) as resource_id,
    cast(resource_name as {{ dbt.type_string() }}) as resource_name,
    {{ prefect.json('resource') }} as resource,
    {{ prefect.json('related') }} as related,
    {{ prefect.json('payload') }} as payload,
    cast(follows as {{ dbt.type_string() }}) as follows,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
