{{ config(
    materialized='incremental',
    incremental_strategy=prefect.replaces_rows(),
    unique_key='metrics_id',
    on_schema_change='append_new_columns'
) }}

{{ prefect.period_metrics('month') }}
