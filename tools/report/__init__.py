"""``report``: one page of answers from the tables that a sync wrote. Runs in the environment of dbt/, ``.venv-dbt``.

- words: durations, shares and days as people read them
- models, warehouse: build the models of dbt/ in a DuckDB file, and read them over a period
- answers: one question a module
- charts: draws them as SVG
- page: puts everything into one file that loads nothing
"""
