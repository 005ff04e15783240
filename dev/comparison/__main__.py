"""`make comparison`: let the tools read ten APIs, and write docs/comparison.json and .md. Takes five minutes.

make comparison ARGS="stripe slack"  only these; the other results stay
make comparison ARGS=--ours          only the connector, in seconds
make comparison ARGS=--page          measure nothing: rewrite the page from docs/comparison.json
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace

from dev.benchmarks.results import PEERS, pins
from dev.comparison import harder, mistakes
from dev.comparison.apis import CASES
from dev.comparison.files import OURS, TOOLS, lines_of
from dev.comparison.measure import Api, Results, run
from dev.comparison.page import page
from dev.testbed.prefect_server import PROJECT

RESULTS: Final = PROJECT / "docs" / "comparison.json"
PAGE: Final = RESULTS.with_suffix(".md")
_HARDER, _MISTAKES = "harder", "mistakes"


def main() -> int:
    """Compare the tools on the APIs that the command line names, or on all; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make comparison", description="Compare the connector with other tools.")
    names = [*CASES, _HARDER, _MISTAKES]
    parser.add_argument("only", nargs="*", metavar="API", help=f"{', '.join(names)}; default: all")
    parser.add_argument("--ours", action="store_true", help="measure only the connector; the other results stay")
    parser.add_argument("--page", action="store_true", help="measure nothing; rewrite the page from the results")
    given = parser.parse_args()
    if unknown := set(given.only) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(names)}")
    known = load()
    for name in [] if given.page else given.only or (list(CASES) if given.ours else names):
        if name == _MISTAKES:
            known = replace(known, mistakes=mistakes.outcomes())
        elif name == _HARDER:
            known = replace(known, harder=harder.results())
        else:
            api = _compared(name, known.apis.get(name) if given.ours else None)
            known = replace(known, apis={**known.apis, name: api})
        if not given.ours:
            known = replace(known, date=date.today().isoformat(), versions=pins(PEERS))
        _publish(known)  # at once: what comes next may fail
    _publish(known)
    print(f"Wrote {', '.join(str(path.relative_to(PROJECT)) for path in (RESULTS, PAGE))}")
    return 0


def load() -> Results:
    """The results so far."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=Results) if RESULTS.exists() else Results("", "")


def _publish(results: Results) -> None:
    """Write the results, with the files as long as they are now, and the page."""
    apis = {name: _with_lines(name, results.apis[name]) for name in CASES if name in results.apis}
    results = replace(results, apis=apis)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    PAGE.write_text(page(results), "utf-8")


def _with_lines(name: str, api: Api) -> Api:
    lengths = {tool: lines_of(tool, name) for tool in api.tools}
    tools = {tool: replace(one, lines=lengths[tool][0], all_lines=lengths[tool][1]) for tool, one in api.tools.items()}
    return replace(api, tools=tools)


def _compared(name: str, known: Api | None) -> Api:
    """The results of all tools on an API, as far as they are not known. Each finds it as nobody has read it."""
    results = dict(known.tools) if known is not None else {}
    for tool in TOOLS if known is None else (OURS,):
        case = CASES[name]()
        results[tool] = run(tool, name, case)
        print(f"{case.title}, {tool}: {results[tool]}", file=sys.stderr, flush=True)
    return Api(case.title, case.changes, results)


if __name__ == "__main__":
    sys.exit(main())
