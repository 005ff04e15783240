"""What holds for all files in examples/."""

from __future__ import annotations

import pytest

from tests.examples.example import EXAMPLES
from tools.cli import main

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/streams.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid_and_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each names the schema for editors, says what it shows, and is in the list of examples."""
    path = EXAMPLES / name / "streams.yaml"
    first, second, third, *_ = path.read_text("utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=../../schemas/streams.schema.json"
    assert (second, third[:2]) == ("#", "# ")
    assert main(["validate", str(path)]) == 0, capsys.readouterr().err
    assert f"({name}/streams.yaml)" in (EXAMPLES / "README.md").read_text("utf-8")
