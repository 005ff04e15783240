"""Fivetran's door: what the Connector SDK calls. Everything about Prefect is in streams.yaml, everything about reading
REST APIs in engine/.
"""

# The connector's own folder comes first on the path: the SDK appends it, so that an installed package called "engine"
# would be taken for ours.
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT))

# Connector is what Fivetran runs, Operations takes rows and checkpoints, Logging writes to the sync's log.
from fivetran_connector_sdk import Connector  # noqa: E402
from fivetran_connector_sdk import Logging as log  # noqa: E402
from fivetran_connector_sdk import Operations as op  # noqa: E402

from engine.spec.load import Connection, connect  # noqa: E402
from engine.sync import sync  # noqa: E402

STREAMS = PROJECT / "streams.yaml"


def validate_configuration(configuration: dict) -> Connection:
    """Check the configuration, and streams.yaml, before anything is asked of the API.

    Args:
        configuration: The configuration settings of the connection; all values are strings.

    Returns:
        What streams.yaml says for this connection.

    Raises:
        ValueError: with every mistake, one a line, and no value in it.
    """
    return connect(STREAMS, configuration, name=STREAMS.name)


def schema(configuration: dict) -> list:
    """Define the schema: the tables, their primary keys and the type of every column.

    All types are declared, because a type that is left open is inferred from each value's text: a flow called
    "2024-01-01" would be a date, one called "007" a number, and a run time a 32-bit float.

    Args:
        configuration: The configuration settings of the connection, which say what streams are read.

    Returns:
        One dictionary for each table.

    Raises:
        ValueError: the configuration or streams.yaml is wrong.
    """
    return [
        {
            "table": stream.destination_table,
            "primary_key": list(stream.primary_key),
            "columns": {name: field.sdk_type for name, field in stream.fields.items()},
        }
        for stream in validate_configuration(configuration).streams
    ]


def update(configuration: dict, state: dict) -> None:
    """Run one sync: read what changed since the last one and write it to the destination.

    Args:
        configuration: The configuration settings of the connection.
        state: The state of the last checkpoint; empty on the first sync and after a re-sync.

    Raises:
        ValueError: the configuration or streams.yaml is wrong.
        engine.failures.Failure: a stream could not be read whole; the message says which, why and what to do.
    """
    connection = validate_configuration(configuration)
    sync(connection, state, op, log)


connector = Connector(update=update, schema=schema)

if __name__ == "__main__":
    import json

    connector.debug(configuration=json.loads((PROJECT / "configuration.json").read_text("utf-8")))
