{{ config(
    enabled=var('prefect__using_flow_run_states', false),
    materialized='incremental',
    incremental_strategy=prefect.replaces_rows(),
    unique_key='state_time_id',
    on_schema_change='append_new_columns',
    post_hook="{{ prefect.delete_deleted_runs() }}"
) }}

with states as (

    select *
    from {{ ref('stg_prefect__flow_run_states') }}
    {% if is_incremental() -%}
    where flow_run_id in (
        select flow_run_id
        from (
            {{ prefect.not_built(ref('stg_prefect__flow_run_states'), 'last_synced_at') }}
        ) as changed
        union all
        select flow_run_id
        from {{ this }}
        where is_current and not is_final
        union all
        -- Runs that a build missed, or found deleted in the middle of a re-sync.
        select states.flow_run_id
        from {{ ref('stg_prefect__flow_run_states') }} as states
        left join {{ this }} as built
            on built.source_relation = states.source_relation and built.flow_run_id = states.flow_run_id
        where built.flow_run_id is null
    )
    {%- endif %}

),

spans as (

    select
        *,
        state_type in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') as is_final,
        lead(state_timestamp) over (
            partition by source_relation, flow_run_id order by state_timestamp, state_id
        ) as left_at
    from states

),

measured as (

    select
        *,
        left_at is null as is_current,
        case
            when left_at is null and is_final then 0
            else {{ prefect.elapsed_seconds('state_timestamp', 'coalesce(left_at, ' ~ prefect.now() ~ ')') }}
        end as seconds
    from spans

),

totals as (

    select
        source_relation,
        flow_run_id,
        state_type,
        state_name,
        count(*) as times_entered,
        min(state_timestamp) as first_entered_at,
        max(state_timestamp) as last_entered_at,
        sum(seconds) as seconds,
        max(case when is_current then 1 else 0 end) = 1 as is_current,
        max(case when is_final then 1 else 0 end) = 1 as is_final,
        max(_fivetran_synced) as last_synced_at
    from measured
    group by source_relation, flow_run_id, state_type, state_name

)

select
    {{ dbt.hash(dbt.concat([
        'totals.source_relation', "'|'", 'totals.flow_run_id', "'|'", "coalesce(totals.state_type, '')", "'|'",
        "coalesce(totals.state_name, '')"
    ])) }} as state_time_id,
    totals.source_relation,
    totals.flow_run_id,
    runs.flow_id,
    runs.flow_name,
    runs.deployment_id,
    runs.deployment_name,
    runs.work_pool_name,
    runs.work_queue_name,
    totals.state_type,
    totals.state_name,
    case
        when totals.state_name = 'AwaitingConcurrencySlot' then 'waiting for a slot'
        when totals.state_name = 'AwaitingRetry' then 'waiting to retry'
        when totals.state_type = 'SCHEDULED' then 'scheduled'
        when totals.state_type = 'PENDING' then 'starting'
        when totals.state_type = 'RUNNING' then 'running'
        when totals.state_type = 'PAUSED' then 'paused'
        when totals.state_type = 'CANCELLING' then 'cancelling'
        else 'ended'
    end as phase,
    totals.times_entered,
    totals.first_entered_at,
    totals.last_entered_at,
    {{ prefect.period_start('day', 'totals.first_entered_at') }} as first_entered_date,
    totals.seconds,
    totals.is_current,
    totals.is_final,
    totals.last_synced_at
from totals
inner join {{ ref('prefect__flow_runs_enhanced') }} as runs
    on runs.source_relation = totals.source_relation and runs.flow_run_id = totals.flow_run_id
