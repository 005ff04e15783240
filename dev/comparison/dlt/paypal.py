"""Windows, and the login that PayPal expects, are in Python. A window with more than 10,000 results is not halved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials
from requests.auth import _basic_auth_str

FORM = "%Y-%m-%dT%H:%M:%SZ"


@configspec
class PayPalLogin(OAuth2ClientCredentials):
    def build_access_token_request(self) -> dict[str, Any]:
        return {
            "headers": {"Authorization": _basic_auth_str(self.client_id, self.client_secret)},
            "data": {"grant_type": "client_credentials"},
        }


@dlt.resource(selected=False)
def windows(start_date: str, until: Any = dlt.sources.incremental("end")) -> Iterator[list[dict[str, str]]]:
    now = datetime.now(timezone.utc)
    start = datetime.fromisoformat(f"{start_date}T00:00:00+00:00")
    if until.start_value is not None:
        start = datetime.fromisoformat(until.start_value.replace("Z", "+00:00")) - timedelta(days=30)
    while start < now:
        end = min(start + timedelta(days=31), now)
        yield [{"start": start.strftime(FORM), "end": end.strftime(FORM)}]
        start = end


def config(url: str, client_id: str, client_secret: str, start_date: str) -> dict[str, Any]:
    token_url = f"{url}/v1/oauth2/token"
    return {
        "client": {
            "base_url": f"{url}/v1",
            "auth": PayPalLogin(access_token_url=token_url, client_id=client_id, client_secret=client_secret),
        },
        "resource_defaults": {"write_disposition": "merge"},
        "resources": [
            windows(start_date),
            {
                "name": "transactions",
                "primary_key": "transaction_id",
                "processing_steps": [{"map": lambda one: {**one["transaction_info"], **one}}],
                "endpoint": {
                    "path": "reporting/transactions",
                    "params": {
                        "start_date": "{resources.windows.start}",
                        "end_date": "{resources.windows.end}",
                        "fields": "all",
                        "page_size": 500,
                    },
                    "incremental": {"cursor_path": "transaction_info.transaction_updated_date"},
                    "data_selector": "transaction_details",
                    "paginator": {"type": "page_number", "base_page": 1, "total_path": "total_pages"},
                },
            },
            {
                "name": "disputes",
                "primary_key": "dispute_id",
                "endpoint": {
                    "path": "customer/disputes",
                    "params": {"page_size": 50},  # the filter reaches back 180 days, and has no place for "none"
                    "incremental": {"cursor_path": "update_time"},
                    "data_selector": "items",
                    "paginator": {"type": "json_link", "next_url_path": "$.links[?(@.rel == 'next')].href"},
                },
            },
        ],
    }
