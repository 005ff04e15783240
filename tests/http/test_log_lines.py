"""What a server sends is one line of the log, whatever it contains."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, rows_by_offset
from engine.failures import Failure
from engine.log import RedactingLog, one_line
from engine.sync import sync
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection, orders
from tests.specs import edited

HOSTILE = "first\nSEVERE second\r\x1b[31mred\x00\x85\u2028\u202egnp.exe"


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"detail": HOSTILE}, 400),
        Reply({"error": HOSTILE}),
        Reply({HOSTILE: 1}),
        Reply({HOSTILE * 20_000: 1}),
        Reply({"error": HOSTILE * 20_000}),
        Reply(body=HOSTILE.encode() * 20_000, status=500),
        Reply(orders(1), headers={"Link": f"<http://[{'x' * 30_000}>; rel=next"}),
    ],
)
def test_a_server_cannot_write_lines_of_its_own(tmp_path: Path, reply: Reply) -> None:
    """Neither in the log nor in a failure. The start and the remedy of a long message are left."""
    text = edited(ORDERS_ONLY, add={"streams.orders.pagination": "link"})
    lines = Lines()
    with Loopback(rows_by_offset([])) as server:
        server.answer = lambda seen: reply
        with pytest.raises(Failure, match=r"^orders: ") as caught:
            sync(connection(tmp_path, server.url, text), {}, Recorder(), lines)
    for line in (*lines.warnings, *lines.infos, str(caught.value)):
        assert line.isprintable()
        assert len(line) < 4_000


def test_a_long_line_keeps_its_end() -> None:
    """Where the remedy is. What was left out is counted."""
    line = one_line(f"orders: {'x' * 800_000}. Check api_url.")
    assert line.startswith("orders: xxx")
    assert line.endswith("x. Check api_url.")
    assert "... (796,5" in line


def test_a_secret_is_removed_before_a_line_is_cut() -> None:
    """Otherwise the cut could leave half of it."""
    lines = Lines()
    log = RedactingLog(lines, lambda text: text.replace("SECRET", "***"))
    for shift in range(5):
        log.warning("x" * (2_995 + shift) + "SECRET" * 1_000)
        log.info("SECRET" * 10_000 + "x" * (495 + shift))
    assert not [line for line in lines.warnings + lines.infos if "SEC" in line or "RET" in line]
