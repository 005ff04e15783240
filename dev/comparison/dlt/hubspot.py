"""A paginator in Python: dlt's own cannot put the last id into a list of filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BaseReferencePaginator
from requests import Request, Response

CONTACT = ["email", "firstname", "lastname", "phone", "company", "jobtitle", "city", "country", "lifecyclestage"]
DEAL = ["dealname", "amount", "deal_currency_code", "dealstage", "pipeline", "dealtype", "closedate", "hs_is_closed"]


class LastId(BaseReferencePaginator):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self._next_reference = data[-1]["id"] if data and len(data) == 200 else None

    def update_request(self, request: Request) -> None:
        if self._next_reference is not None:
            request.json["filterGroups"][0]["filters"][1]["value"] = self._next_reference


def milliseconds(instant: str) -> str:
    return f"{datetime.fromisoformat(instant.replace('Z', '+00:00')).timestamp() * 1000:.0f}"


def config(url: str, token: str) -> dict[str, Any]:
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "bearer", "token": token},
            "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_param": "after"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {"data_selector": "results"},
        },
        "resources": [
            _search("contacts", "lastmodifieddate", [*CONTACT, "hs_lead_status", "hubspot_owner_id"]),
            _search("deals", "hs_lastmodifieddate", [*DEAL, "hubspot_owner_id"]),
            {
                "name": "deal_contacts",
                "primary_key": ["_deals_id", "toObjectId"],
                "include_from_parent": ["id"],
                "endpoint": {
                    "path": "crm/v4/objects/deals/{resources.deals.id}/associations/contacts",
                    "params": {"limit": 100},
                },
            },
            {"name": "owners", "endpoint": {"path": "crm/v3/owners", "params": {"archived": "false", "limit": 100}}},
        ],
    }


def _search(name: str, changed: str, properties: list[str]) -> dict[str, Any]:
    since = {"propertyName": changed, "operator": "GTE", "value": "{incremental.start_value}"}
    after = {"propertyName": "hs_object_id", "operator": "GT", "value": "0"}
    return {
        "name": name,
        "endpoint": {
            "path": f"crm/v3/objects/{name}/search",
            "method": "POST",
            "json": {
                "filterGroups": [{"filters": [since, after]}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": properties,
                "limit": 200,
            },
            "incremental": {
                "cursor_path": "updatedAt",
                "initial_value": "2006-01-01T00:00:00Z",
                "convert": milliseconds,
                "lag": 900,
            },
            "paginator": LastId(),
        },
    }
