"""The streams of a streams.yaml on Spark: a data source, a backfill job, and a view over both histories.

``source`` and ``backfill`` need Spark 4. ``settings``, ``arrow`` and ``view`` do not, so that other engines can read
parts, too: ``prefect_flow`` does. Nothing of this is deployed with the connector. docs/scale.md says when to use it.
"""

from typing import Final

OPEN_AT: Final = "_open_at"
"""The column that is NULL unless the row was open when it was read: where in the list the connector reads it again."""
