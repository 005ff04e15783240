"""Pages that follow from streams.yaml: the reference of its tables with their promises, and sources for dbt."""
