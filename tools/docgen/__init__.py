"""Generated documentation: docs/dialect.md from the dialect; docs/streams.md and the dbt sources from streams.yaml."""
