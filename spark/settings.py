"""The settings of a connection, on every machine: from options and from the environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.spec.configuration import ConfigurationError
from engine.spec.load import ResolvedSpec, resolve

PREFIX: Final = "REST_STREAMS_"
"""What the environment variable of a setting begins with: ``REST_STREAMS_API_KEY``."""


def resolved(streams: Path, options: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> ResolvedSpec:
    """A streams.yaml with the settings in the options and, for those that have none, in the environment.

    Raises:
        ConfigurationError: a setting is unknown or wrong, or a secret is in the options, which Spark prints.
        SpecError, OSError: the file has mistakes, or cannot be read.
    """
    found = {name[len(PREFIX) :].lower(): value for name, value in environment.items() if name.startswith(PREFIX)}
    spec = resolve(streams, {**found, **options}, name=streams.name)
    secrets = [name for name in options if spec.spec.configuration[name].secret]
    if secrets:
        raise ConfigurationError(
            [f"{name}: Spark prints options; set the environment variable {PREFIX}{name.upper()}" for name in secrets]
        )
    return spec


class StandardLog:
    """Passes messages on to Python's own log, as ``rest_streams``."""

    _logger: Final = logging.getLogger("rest_streams")

    def info(self, message: str) -> None:
        """Log progress."""
        self._logger.info("%s", message)

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""
        self._logger.warning("%s", message)
