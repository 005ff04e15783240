-- Generated from streams.yaml by `python -m engine generate`.
{{ config(enabled=var('prefect__using_artifact_collections', true)) }}

with connections as (

    {{ prefect.connections('artifact_collections', {
        'id': 'artifact_collection_id',
        'created': 'created_at',
        'updated': 'updated_at',
        'key': 'key',
        'latest_id': 'latest_id',
        'type': 'artifact_collection_type',
        'description': 'description',
        'data': 'data',
        'metadata': 'metadata',
        'flow_run_id': 'flow_run_id',
        'task_run_id': 'task_run_id',
        '_fivetran_synced': '_fivetran_synced',
        '_fivetran_deleted': 'is_deleted'
    }) }}

)

select
    source_relation,
    cast(artifact_collection_id as {{ dbt.type_string() }}) as artifact_collection_id,
    {{ prefect.utc('created_at') }} as created_at,
    {{ prefect.utc('updated_at') }} as updated_at,
    cast(key as {{ dbt.type_string() }}) as key,
    cast(latest_id as {{ dbt.type_string() }}) as latest_id,
    cast(artifact_collection_type as {{ dbt.type_string() }}) as artifact_collection_type,
    cast(description as {{ dbt.type_string() }}) as description,
    {{ prefect.json('data') }} as data,
    {{ prefect.json('metadata') }} as metadata,
    cast(flow_run_id as {{ dbt.type_string() }}) as flow_run_id,
    cast(task_run_id as {{ dbt.type_string() }}) as task_run_id,
    {{ prefect.utc('_fivetran_synced') }} as _fivetran_synced,
    coalesce(cast(is_deleted as {{ dbt.type_boolean() }}), false) as is_deleted
from connections
