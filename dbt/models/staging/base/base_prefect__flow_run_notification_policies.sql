-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_flow_run_notification_policies', false)) }}

with connections as (

    {{ prefect.connections('flow_run_notification_policies', {
        'id': 'flow_run_notification_policy_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'is_active': 'is_active',
        'state_names': 'state_names',
        'tags': 'tags',
        'block_document_id': 'block_document_id',
        'message_template': 'message_template',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(flow_run_notification_policy_id as {{ dbt.type_string() }}) as flow_run_notification_policy_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(is_active as {{ dbt.type_boolean() }}) as is_active,
    {{ prefect.json('state_names') }} as state_names,
    {{ prefect.json('tags') }} as tags,
    cast(block_document_id as {{ dbt.type_string() }}) as block_document_id,
    cast(message_template as {{ dbt.type_string() }}) as message_template,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
