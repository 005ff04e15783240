"""The settings that a connection is given (configuration.json): declared in streams.yaml, checked before any request.

Fivetran hands every value over as a string, and an empty string for a field that was left empty; so a setting is a
string with a pattern, and empty means absent. Nothing here ever repeats a value: it could be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.spec.certificates import CERTIFICATES_EXPECTED, CERTIFICATES_PATTERN, certificates
from engine.spec.headers import HEADERS_EXPECTED, HEADERS_PATTERN
from engine.spec.kinds import Boolean, Record, Schema, Spot, Text, Word, key
from engine.spec.problems import suggestion
from engine.spec.secrets import Secrets

SECRET_PATTERN = "[!-~]+"  # what an HTTP header can carry unquoted; a pasted line break is the usual mistake
SECRET_EXPECTED = "printable ASCII characters without spaces or line breaks"

SAMPLES: Mapping[str, str | int] = {
    "text": "sample",
    "url": "http://sample.invalid/api",
    "integer": 1,
    "streams": "all",
    "headers": "X-Sample: sample",
    "certificates": "",
}
"""What ``${name}`` stands for while a file is checked without a configuration, by the setting's type."""


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


_PATTERN = Text(convert=_regular_expression)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A form that values usually have. A value of another form is used, and the words are logged as a warning."""

    pattern: str = key(_PATTERN, "A regular expression that the value usually contains.")
    otherwise: str = key(Text(), "What to tell the user when it does not.")


_TYPES: Mapping[str, str] = {
    "text": "any text",
    "url": "an http:// or https:// URL",
    "integer": "a whole number",
    "headers": "HTTP headers: Name: value; Name: value, or a JSON object",
    "certificates": "certificates in PEM form",
    "streams": "which streams are read: all, default, names, or names to leave out after a minus",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value that the user of a connection gives."""

    description: str = key(Text(), "What it is and where to find it.")
    label: str | None = key(Text(), "What the setup form calls it; its name when not given.", default=None)
    type: str = key(
        Word("a setting type", tuple(SAMPLES), _TYPES),
        "text, url (http or https, without credentials, a slash at its end removed), integer, headers "
        "(Name: value; Name: value, or a JSON object), certificates (PEM) or streams (which streams are read; one "
        "setting can be of that type).",
        default="text",
    )
    required: bool = key(Boolean(), "Whether the connector can work without it.", default=False)
    secret: bool = key(Boolean(), "Whether it must be hidden: in the setup form, in logs and in errors.", default=False)
    default: str | None = key(Text(), "What is used when it is empty. In quotes: settings are strings.", default=None)
    pattern: str | None = key(_PATTERN, "A regular expression that the whole value must match.", default=None)
    expected: str | None = key(Text(), "That pattern in words, for the error message.", default=None)
    example: str | None = key(Text(), "What configuration.json.example shows.", default=None)
    usually: Advice | None = key(Record(Advice), "A warning for values that are allowed but odd.", default=None)

    @staticmethod
    def check(values: dict[str, Any], spots: dict[str, Spot]) -> None:
        """A pattern needs its words; a default must be a value that would be accepted."""
        if ("pattern" in spots) != ("expected" in spots):
            spots[""].problem("pattern and expected go together: the rule, and the rule in words", at_key=True)
        if values.get("required") and "default" in values:
            spots["default"].problem("a required setting has no default", at_key=True)
        elif "default" in values and not re.fullmatch(_pattern(values), values["default"]):
            spots["default"].problem(f"the default is not {_expected(values)}")

    def accepts(self, value: str) -> bool:
        """Whether a non-empty value has the declared form."""
        return re.fullmatch(_pattern(vars(self)), value) is not None

    @property
    def form(self) -> str:
        """The declared form in words."""
        return _expected(vars(self))

    def convert(self, value: str) -> str | int:
        """The value as the rest of the file uses it."""
        if self.type == "integer":
            return int(value)
        if self.type == "certificates":
            return certificates(value)
        return value.rstrip("/") if self.type == "url" else value


_FORMS = {
    "text": (r"[\s\S]+", "text"),
    "url": (r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http:// or https:// URL without credentials, query or fragment"),
    "integer": (r"-?[0-9]{1,18}", "a whole number"),
    "streams": (r"\s*-?\s*\w+\s*(,\s*-?\s*\w+\s*)*", "names of streams with commas between, such as: all, -logs"),
    "headers": (HEADERS_PATTERN, HEADERS_EXPECTED),
    "certificates": (CERTIFICATES_PATTERN, CERTIFICATES_EXPECTED),
}


def _form(values: Mapping[str, Any]) -> tuple[str, str]:
    kind = values.get("type", "text")
    return (SECRET_PATTERN, SECRET_EXPECTED) if kind == "text" and values.get("secret") else _FORMS[kind]


def _pattern(values: Mapping[str, Any]) -> str:
    return str(values["pattern"]) if values.get("pattern") else _form(values)[0]


def _expected(values: Mapping[str, Any]) -> str:
    return str(values["expected"]) if values.get("expected") else _form(values)[1]


class ConfigurationError(ValueError):
    """A configuration that cannot be used. Says every mistake, one a line, and repeats no value."""


@dataclass(frozen=True)
class Settings:
    """Checked settings: what ``${name}`` stands for, which of the values are secret, and what is odd about them."""

    values: Mapping[str, str | int] = field(repr=False)
    secrets: Secrets = Secrets()
    advice: tuple[str, ...] = ()


def check_configuration(declared: Mapping[str, Setting], configuration: Mapping[str, Any]) -> Settings:
    """Check a configuration against the declared settings.

    Args:
        declared: The settings of streams.yaml by name.
        configuration: What Fivetran hands over: a flat object of strings. Empty strings count as absent.

    Raises:
        ConfigurationError: with every mistake at once, and no value in it.
    """
    problems = [
        f"{name}: unknown setting; {suggestion(name, declared)}" for name in configuration if name not in declared
    ]
    values: dict[str, str | int] = {}
    secrets: list[str] = []
    advice: list[str] = []
    for name, setting in declared.items():
        given = configuration.get(name)
        if given is not None and not isinstance(given, str):
            problems.append(
                f"{name}: expected a string, as all values of a configuration; found {type(given).__name__}"
            )
        elif not given and setting.required:
            problems.append(f"{name}: required and missing or empty; {setting.description}")
        elif not given:
            values[name] = "" if setting.default is None else setting.convert(setting.default)
        elif not setting.accepts(given):
            problems.append(f"{name}: expected {setting.form}; the value given ({len(given)} characters) is not")
        else:
            values[name] = setting.convert(given)
            if setting.secret:
                secrets.append(given)
            if setting.usually and not re.search(setting.usually.pattern, given):
                advice.append(f"{name}: {setting.usually.otherwise}")
    if problems:
        raise ConfigurationError("\n".join(["the configuration cannot be used:", *(f"  {p}" for p in problems)]))
    return Settings(values, Secrets.of(secrets), tuple(advice))


def sample_settings(declared: Mapping[str, Any]) -> dict[str, str | int | None]:
    """Stand-ins for all settings, to check a file's other values without a configuration.

    None stands for a setting that is itself declared wrongly, so that what depends on it is left alone.
    """
    samples: dict[str, str | int | None] = {}
    for name, setting in declared.items():
        if not isinstance(setting, Setting):
            samples[name] = None
        elif setting.default is None:
            sample = SAMPLES[setting.type]
            samples[name] = sample if setting.required or setting.accepts(str(sample)) else ""
        else:
            samples[name] = setting.convert(setting.default) if setting.accepts(setting.default) else None
    return samples


def configuration_schema(declared: Mapping[str, Setting], title: str) -> Schema:
    """The JSON Schema (draft 2020-12) of configuration.json, which accepts what :func:`check_configuration` does."""
    properties: Schema = {}
    for name, setting in declared.items():
        pattern = f"^({_pattern(vars(setting))})$"
        described: Schema = {"type": "string", "description": setting.description}
        described["pattern"] = pattern if setting.required else f"^$|{pattern}"
        if setting.default is not None:
            described["default"] = setting.default
        if setting.example is not None:
            described["examples"] = [setting.example]
        if setting.secret:
            described["writeOnly"] = True
        properties[name] = described
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [name for name, setting in declared.items() if setting.required],
    }


def configuration_example(declared: Mapping[str, Setting]) -> dict[str, str]:
    """What configuration.json.example holds: the example, the default or, where one is required, a placeholder."""
    return {
        name: setting.example or setting.default or (f"<{name.upper()}>" if setting.required else "")
        for name, setting in declared.items()
    }
