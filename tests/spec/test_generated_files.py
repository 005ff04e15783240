"""The generated files are up to date and agree with the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.spec.configuration import ConfigurationError, check_configuration
from engine.spec.load import resolve
from tests.specs import shipped
from tools.cli import main

PROJECT = Path(__file__).resolve().parents[2]


def test_they_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m engine generate` would change nothing."""
    assert main(["generate", "--check"]) == 0, capsys.readouterr().err


def test_streams_yaml_names_its_schema_first() -> None:
    """Editors with the YAML language server complete and check streams.yaml."""
    first = (PROJECT / "streams.yaml").read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(.*)", first)
    assert match is not None
    assert (PROJECT / match[1]).exists()


def test_the_example_has_placeholders_and_the_recommended_size() -> None:
    """Nobody takes a placeholder for a real key. Rarely used settings are empty. The page size saves requests."""
    example = json.loads((PROJECT / "configuration.json.example").read_text("utf-8"))
    assert example["batch_size"] == "200"
    assert {name for name, value in example.items() if re.fullmatch("<.*>", value)} == {"api_url", "api_key"}
    assert {value for value in example.values() if not value.startswith("<")} == {"", "200", "24h", "keep"}


DECLARED = shipped().configuration
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((PROJECT / "schemas" / "configuration.schema.json").read_text("utf-8"))
)
OTHERS = ("auth_string", "headers", "ca_certificate", "proxy")
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "200",
            "201",
            "0",
            "http://h/api",
            "https://h:1/api/",
            "http://u@h",
            "https://api.prefect.cloud/api",
            "k" * 40,
            "a b",
            "x\ny",
        ]
    ),
    st.text(max_size=8),
)


PIECES = (
    *("A: x", "B-C:y", ":", ";", " ", "\n", '"', "{", "}", '{"A": "x"}', '"A":"\\"x"', ",", "a=b", "\\", "é", "\0"),
    *("\\n", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "MIIB", "http://", "u:p@h:1", "/"),
)
COMPOSED = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@given(api_url=TEXTS, api_key=TEXTS, batch_size=TEXTS, name=st.sampled_from(OTHERS), value=COMPOSED)
def test_the_configuration_schema_and_the_check_agree(
    api_url: str, api_key: str, batch_size: str, name: str, value: str
) -> None:
    """schemas/configuration.schema.json accepts a configuration if and only if the connector does."""
    # JSON Schema's patterns are ECMA's, whose $ is the end; Python's also matches before a final line break.
    assume(not any(text.endswith("\n") for text in (api_url, api_key, batch_size, value)))
    configuration = {"api_url": api_url, "api_key": api_key, "batch_size": batch_size, name: value}
    try:
        check_configuration(DECLARED, configuration)
        accepted = True
    except ConfigurationError:
        accepted = False
    else:
        resolve(PROJECT / "streams.yaml", configuration)  # what is accepted can also be used
    assert SCHEMA.is_valid(configuration) == accepted
