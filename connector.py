"""Fivetran's door: what the Connector SDK calls. Everything about Prefect is in streams.yaml, everything about reading
REST APIs in engine/.
"""

# The connector's own folder comes first on the path: the SDK appends it, so that an installed package called "engine"
# would be taken for ours.
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT))

# Connector is what Fivetran runs, Operations takes rows and checkpoints, Logging writes to the sync's log; the others
# make the setup form and answer its tests.
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field  # noqa: E402
from fivetran_connector_sdk import Logging as log  # noqa: E402
from fivetran_connector_sdk import Operations as op  # noqa: E402

from engine.setup_form import SetupTest, form_fields, setup_tests  # noqa: E402
from engine.spec.load import ResolvedSpec, load, resolve, selected  # noqa: E402
from engine.sync import sync  # noqa: E402

STREAMS = PROJECT / "streams.yaml"


def validate_configuration(configuration: dict) -> ResolvedSpec:
    """Check the configuration, and streams.yaml, before anything is asked of the API.

    Args:
        configuration: The configuration settings of the connection; all values are strings.

    Returns:
        What streams.yaml says for this connection.

    Raises:
        ValueError: with every mistake, one a line, and no value in it.
    """
    return resolve(STREAMS, configuration, name=STREAMS.name)


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
    spec = load(STREAMS, name=STREAMS.name)
    return [
        {
            "table": stream.destination_table,
            "primary_key": list(stream.primary_key),
            "columns": {name: field.sdk_type for name, field in stream.fields.items()},
        }
        for stream in map(spec.streams.__getitem__, selected(spec, configuration))
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
    resolved = validate_configuration(configuration)
    sync(resolved, state, op, log)


def configuration_form() -> ConfigurationForm:
    """Define the setup form, and the tests that run when it is saved or by `fivetran configuration --test`.

    Returns:
        A field for each setting that streams.yaml declares, and the tests of engine/setup.py.
    """
    form = ConfigurationForm()
    for field in form_fields(load(STREAMS, name=STREAMS.name)):
        kind = form_field.TextField.password if field.secret else form_field.TextField.plain_text
        form.add_field(
            form_field.TextField(
                field.name,
                field.label,
                kind,
                description=field.description,
                required=field.required,
                placeholder=field.placeholder,
            )
        )
    for test in setup_tests(STREAMS, log):
        form.add_test(label=test.label, func=_as_function(test))
    return form


def _as_function(test: SetupTest) -> object:
    """A test in the form that the SDK calls: a function that it knows by its name."""

    def run(configuration: dict) -> object:
        wrong = test.run(configuration)
        return Test.success() if wrong is None else Test.failure(wrong)

    run.__name__ = test.name
    return run


connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    import json

    connector.debug(configuration=json.loads((PROJECT / "configuration.json").read_text("utf-8")))
