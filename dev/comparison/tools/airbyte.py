"""Airbyte's CDK with a declarative manifest. The records are those of its record messages."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import time_machine
import yaml
from airbyte_cdk.models import (
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalogSerializer,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource


def sync(file: str, url: str, now: str, folder: str, settings: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Read all streams, incrementally if they can be, from the states of the last sync, at the time of the server."""
    logger, saved = logging.getLogger("airbyte"), Path(folder, "state.json")
    logger.setLevel(logging.ERROR)
    config = {"api_url": url, **settings}
    manifest = yaml.safe_load(Path(file).read_text("utf-8"))
    known = json.loads(saved.read_text("utf-8")) if saved.exists() else []
    state = [AirbyteStateMessageSerializer.load(one) for one in known]
    with time_machine.travel(now):
        catalog = _catalog(ConcurrentDeclarativeSource(None, config, state, source_config=manifest), config)
        source = ConcurrentDeclarativeSource(catalog, config, state, source_config=manifest)
        messages = list(source.read(logger, config, catalog, state))
    states = {one.state.stream.stream_descriptor.name: one.state for one in messages if one.type is Type.STATE}
    saved.write_text(json.dumps([AirbyteStateMessageSerializer.dump(one) for one in states.values()]), "utf-8")
    return [(one.record.stream, one.record.data) for one in messages if one.type is Type.RECORD]


def _catalog(source: ConcurrentDeclarativeSource, config: Mapping[str, Any]) -> Any:
    streams = []
    for stream in source.discover(logging.getLogger("airbyte"), config).streams:
        mode = "incremental" if SyncMode.incremental in stream.supported_sync_modes else "full_refresh"
        described = {"name": stream.name, "json_schema": {}, "supported_sync_modes": [mode]}
        streams.append({"stream": described, "sync_mode": mode, "destination_sync_mode": "append"})
    return ConfiguredAirbyteCatalogSerializer.load({"streams": streams})
