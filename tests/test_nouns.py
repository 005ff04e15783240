"""Nouns in log lines: every shipped stream has a right singular and plural."""

from __future__ import annotations

from engine.nouns import counted, plural
from tests.specs import shipped

STREAMS = shipped().streams
ONE_OF = {
    "flow runs": "flow run",
    "flows": "flow",
    "deployments": "deployment",
    "task runs": "task run",
    "flow run states": "flow run state",
    "task run states": "task run state",
    "flow run inputs": "flow run input",
    "logs": "log",
    "events": "event",
    "deployment schedules": "deployment schedule",
    "work pools": "work pool",
    "work queues": "work queue",
    "workers": "worker",
    "task workers": "task worker",
    "artifacts": "artifact",
    "artifact collections": "artifact collection",
    "automations": "automation",
    "variables": "variable",
    "concurrency limits": "concurrency limit",
    "global concurrency limits": "global concurrency limit",
    "block types": "block type",
    "block schemas": "block schema",
    "block documents": "block document",
    "saved searches": "saved search",
    "flow run notification policies": "flow run notification policy",
    "webhooks": "webhook",
    "slas": "sla",
    "workspace user access": "workspace user access",
    "workspace bot access": "workspace bot access",
    "workspace team access": "workspace team access",
    "workspaces": "workspace",
    "accounts": "account",
    "account memberships": "account membership",
    "account roles": "account role",
    "workspace roles": "workspace role",
    "service accounts": "service account",
    "teams": "team",
}


def test_every_stream_is_listed() -> None:
    """A new stream is added to the list above, with its singular."""
    assert list(ONE_OF) == [name.replace("_", " ") for name in STREAMS]


def test_a_stream_is_counted_in_its_singular_and_plural() -> None:
    """As in the last line of a sync. The singular is `singular:` in streams.yaml or, without it, that of the rule."""
    for name, stream in STREAMS.items():
        nouns = name.replace("_", " ")
        assert counted(1, nouns, stream.singular) == f"1 {ONE_OF[nouns]}"
        assert counted(1_200, nouns, stream.singular) == f"1,200 {nouns}"


def test_the_plural_rule_is_the_reverse() -> None:
    """Except for nouns without a plural, such as access."""
    assert [plural(noun) for noun in ONE_OF.values() if not noun.endswith("access")] == [
        nouns for nouns in ONE_OF if not nouns.endswith("access")
    ]
