"""Airbyte's CDK with a declarative manifest: one record message per row, as its connectors print them."""

from __future__ import annotations

import logging
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Type
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from dev.benchmarks.records import COLUMNS

# JSON columns keep the type of the value.
_TYPES = {"DOUBLE": "number", "INT": "integer", "BOOLEAN": "boolean"}
_STRINGS = ("STRING", "UTC_DATETIME")


def read(url: str, mapped: str = "") -> int:
    """Read a stream; with a second argument, with 30 mapped fields."""
    catalog = ConfiguredAirbyteCatalogSerializer.load(
        {
            "streams": [
                {
                    "stream": {"name": "flow_runs", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                    "sync_mode": "full_refresh",
                    "destination_sync_mode": "overwrite",
                }
            ]
        }
    )
    source = ConcurrentDeclarativeSource(
        catalog=catalog, config={}, state=None, source_config=_manifest(url, _mapping() if mapped else [])
    )
    logger = logging.getLogger("airbyte")
    logger.setLevel(logging.ERROR)
    return sum(message.type is Type.RECORD for message in source.read(logger, {}, catalog, None))


def _manifest(url: str, transformations: list[dict[str, Any]]) -> dict[str, Any]:
    def body_key(name: str) -> dict[str, str]:
        return {"type": "RequestOption", "inject_into": "body_json", "field_name": name}

    requester = {"type": "HttpRequester", "url_base": url, "path": "/flow_runs/filter", "http_method": "POST"}
    retriever = {
        "type": "SimpleRetriever",
        "requester": requester,
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}},
        "paginator": {
            "type": "DefaultPaginator",
            "page_size_option": body_key("limit"),
            "page_token_option": body_key("offset"),
            "pagination_strategy": {"type": "OffsetIncrement", "page_size": 200, "inject_on_first_request": True},
        },
    }
    stream = {
        "type": "DeclarativeStream",
        "name": "flow_runs",
        "primary_key": ["id"],
        "retriever": retriever,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
        "transformations": transformations,
    }
    check = {"type": "CheckStream", "stream_names": ["flow_runs"]}
    return {"version": "6.0.0", "type": "DeclarativeSource", "check": check, "streams": [stream]}


def _mapping() -> list[dict[str, Any]]:
    fields = []
    for name, (path, type_) in COLUMNS.items():
        first, *rest = path.removeprefix("$.").split(".")
        value = f"record['{first}']" + "".join(f".get('{key}')" for key in rest)
        field = {"type": "AddedFieldDefinition", "path": [f"mapped_{name}"], "value": f"{{{{ {value} }}}}"}
        declared = "string" if type_ in _STRINGS else _TYPES.get(type_)
        fields.append(field | ({"value_type": declared} if declared else {}))
    return [{"type": "AddFields", "fields": fields}]
