"""Mistakes in the files of Slack, and what each tool makes of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dev.comparison.apis import CASES
from dev.comparison.files import OURS, TOOLS, path_of
from dev.comparison.measure import Outcome, ToolFailed, synced
from dev.testbed.loopback import Loopback

_API: Final = "slack"
MISTAKES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "a key is misspelt": {
        OURS: ("page_size: 200", "page_sise: 200"),
        "dlt": ('"cursor_path":', '"cursor_pth":'),
        "airbyte": ("stop_condition:", "stop_conditon:"),
    },
    "the path to the records is misspelt": {
        OURS: ("records: $.members", "records: $.member"),
        "dlt": ('"data_selector": "members"', '"data_selector": "member"'),
        "airbyte": ("records: members", "records: member"),
    },
    "a variable is misspelt": {
        OURS: ("oldest: $since", "oldest: $sinse"),
        "dlt": ("{incremental.start_value}", "{incremental.start_valu}"),
        "airbyte": ('channel: "{{ stream_partition.channel }}"', 'channel: "{{ stream_partition.chanel }}"'),
    },
    "the token is wrong": dict.fromkeys(TOOLS, ("", "")),
}
"""In words, and for each tool what is replaced by what."""


def outcomes() -> Mapping[str, Mapping[str, Outcome]]:
    """What comes of each mistake, by tool."""
    return {mistake: {tool: outcome(mistake, tool) for tool in TOOLS} for mistake in MISTAKES}


def outcome(mistake: str, tool: str) -> Outcome:
    """What a tool says, and how many rows its first sync does not send."""
    case = CASES[_API]()
    original, mistaken = MISTAKES[mistake][tool]
    file, settings = path_of(tool, _API), case.settings if original else {**case.settings, "token": "xoxb-wrong"}
    text = file.read_text("utf-8")
    assert original in text
    with Loopback(case.api) as server, tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, file.name)
        copy.write_text(text.replace(original, mistaken, 1) if original else text, "utf-8")
        now = case.api.now.isoformat()
        task = {"file": str(copy), "url": server.url, "now": now, "folder": folder, "settings": settings}
        try:
            sent = synced(tool, task, Path(folder))
        except ToolFailed as failed:
            said = re.sub(r"^[\w.]+: ", "", str(failed).replace(f"{folder}/", ""))
            return Outcome(said.replace(server.url, "https://slack.com/api"))
    return Outcome("", len(case.missing(sent, mapped=tool == OURS)))
