"""The connector, as the Fivetran Connector SDK calls it. Everything about Prefect is in streams.yaml, everything about
reading REST APIs in engine/.
"""

# The connector's own folder comes first on the path. The SDK appends it, so an installed package called "engine" would
# be imported instead of ours.
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT))

# Connector is what Fivetran runs, Operations writes rows and checkpoints, Logging writes to the sync's log. The others
# make the setup form and its tests.
from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field  # noqa: E402
from fivetran_connector_sdk import Logging as log  # noqa: E402
from fivetran_connector_sdk import Operations as op  # noqa: E402

from engine.setup_form import SetupTest, form_fields, setup_tests  # noqa: E402
from engine.spec.load import ResolvedSpec, load, resolve, selected  # noqa: E402
from engine.sync import sync  # noqa: E402

STREAMS = PROJECT / "streams.yaml"


def validate_configuration(configuration: dict) -> ResolvedSpec:
    """Check the configuration and streams.yaml before the first request.

    Args:
        configuration: The configuration settings of the connection; all values are strings.

    Returns:
        The spec in streams.yaml with the settings of this connection.

    Raises:
        ValueError: the configuration or streams.yaml is invalid. The message has one line per mistake and no values.
    """
    try:
        return resolve(STREAMS, configuration, name=STREAMS.name)
    except ValueError as error:
        for line in str(error).splitlines():
            log.severe(line)  # the SDK shows the exception with its traceback
        raise


def schema(configuration: dict) -> list:
    """Define the schema: the tables, their primary keys and the type of every column.

    All types are declared. Fivetran would infer a missing type from each value: a flow named "2024-01-01" would be a
    date, one named "007" a number, and a run time a 32-bit float.

    Args:
        configuration: The configuration settings of the connection. They select the streams; without any, the default.

    Returns:
        One dictionary for each table.

    Raises:
        ValueError: the configuration or streams.yaml is invalid.
    """
    if configuration:
        streams = validate_configuration(configuration).tables
    else:
        spec = load(STREAMS, name=STREAMS.name)
        streams = tuple(map(spec.streams.__getitem__, selected(spec, {})))
    return [
        {
            "table": stream.destination_table,
            "primary_key": list(stream.primary_key),
            "columns": {name: field.sdk_type for name, field in stream.fields.items()},
        }
        for stream in streams
    ]


def update(configuration: dict, state: dict) -> None:
    """Run one sync: read what changed since the last sync and write it to the destination.

    Args:
        configuration: The configuration settings of the connection.
        state: The state of the last checkpoint; empty on the first sync and after a re-sync.

    Raises:
        ValueError: the configuration or streams.yaml is invalid.
        engine.failures.Failure: a stream could not be read completely. The message names it, the reason and the remedy.
    """
    resolved = validate_configuration(configuration)
    sync(resolved, state, op, log)


def configuration_form() -> ConfigurationForm:
    """Define the setup form and its tests, which run when it is saved and in `fivetran configuration --test`.

    Returns:
        A field for each setting that streams.yaml declares, and the tests of engine/setup_form.py.
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
    """A test as the SDK calls it: a function, which it identifies by its name."""

    def run(configuration: dict) -> object:
        failure = test.run(configuration)
        return Test.success() if failure is None else Test.failure(failure)

    run.__name__ = test.name
    return run


connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

if __name__ == "__main__":
    import json

    connector.debug(configuration=json.loads((PROJECT / "configuration.json").read_text("utf-8")))
