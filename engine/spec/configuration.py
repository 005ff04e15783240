"""The settings of a connection (configuration.json): declared in streams.yaml, checked before any request.

Fivetran passes every value as a string, and an empty string for an empty field. So a setting is a string with a
pattern, and empty means absent. No message repeats a value: it could be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from engine.declare.addresses import plain_url
from engine.declare.blocks import Object, key
from engine.declare.certificates import CERTIFICATES_EXPECTED, CERTIFICATES_PATTERN, certificates
from engine.declare.headers import HEADERS_EXPECTED, HEADERS_PATTERN
from engine.declare.node import Context, where_known
from engine.declare.problems import suggestion
from engine.declare.values import Boolean, Choice, Text
from engine.spec.secrets import Secrets, environment_credentials

SECRET_PATTERN = "[!-~]+"  # what an HTTP header can contain; the usual mistake is a pasted line break
SECRET_EXPECTED = "printable ASCII characters without spaces or line breaks"

SAMPLES: Mapping[str, Sequence[str | int]] = {
    "text": ("sample", "sample:sample"),
    "url": ("https://sample.invalid/api",),
    "integer": (1,),
    "streams": ("all",),
    "list": ("sample",),
    "headers": ("X-Sample: sample",),
    "certificates": ("",),
}
"""Values of ``${name}`` while a file is checked without a configuration, by the setting's type: the first that fits."""


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


_PATTERN = Text(convert=_regular_expression, noun="a regular expression")


@dataclass(frozen=True, kw_only=True)
class WarnUnless:
    """A pattern of usual values. Any other value is accepted, with a warning in the log."""

    pattern: str = key(_PATTERN, "A regular expression that the value usually contains.")
    message: str = key(Text(), "The warning.")


SettingType = Literal["text", "url", "integer", "list", "headers", "certificates", "streams"]

_TYPES: Final[Mapping[str, str]] = {
    "text": "any string",
    "url": "an http:// or https:// URL without credentials; a trailing slash is removed",
    "integer": "an integer",
    "list": "values with commas between, for `parent: {list: ...}`; blanks around them and repetitions do not count",
    "headers": "HTTP headers: `Name: value; Name: value`, or a JSON object",
    "certificates": "certificates in PEM form",
    "streams": "which streams are synced: `all`, `default`, names, or names to leave out after a minus; one setting "
    "can have this type",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A value that each connection provides."""

    description: str = key(Text(), "What it is and where to find it.")
    label: str | None = key(Text(), "Its label in the setup form; the name if not given.", default=None)
    type: SettingType = key(
        Choice("a setting type", get_args(SettingType), _TYPES), "What the value is.", default="text"
    )
    required: bool = key(Boolean(), "Whether the connector needs it.", default=False)
    secret: bool = key(Boolean(), "Whether to hide it in the setup form, in logs and in errors.", default=False)
    default: str | None = key(Text(), "The value if it is empty. In quotes: settings are strings.", default=None)
    pattern: str | None = key(_PATTERN, "A regular expression that the whole value must match.", default=None)
    expected: str | None = key(Text(), "That pattern in words, for the error message.", default=None)
    example: str | None = key(Text(), "The value in configuration.json.example.", default=None)
    warn_unless: WarnUnless | None = key(
        Object(WarnUnless), "A warning for values that are allowed but unusual.", default=None
    )

    def accepts(self, value: str) -> bool:
        """Whether a non-empty value has the declared form."""
        if self.type == "integer" and re.fullmatch(_FORMS["integer"][0], value) is None:
            return False  # whatever the setting's own pattern accepts
        if self.type == "url":
            plain = plain_url(value)  # HTTP://API.EXAMPLE.COM.:80 is no other server than http://api.example.com
            if plain is None or re.fullmatch(self.value_pattern, plain) is None:
                return False
        return re.fullmatch(self.value_pattern, value) is not None

    @property
    def value_pattern(self) -> str:
        """A regular expression that every non-empty value matches as a whole."""
        return self.pattern or self._form[0]

    @property
    def form(self) -> str:
        """What ``value_pattern`` accepts, in words."""
        return self.expected or self._form[1]

    @property
    def _form(self) -> tuple[str, str]:
        return (SECRET_PATTERN, SECRET_EXPECTED) if self.type == "text" and self.secret else _FORMS[self.type]

    def convert(self, value: str) -> str | int:
        """The value to use in the rest of the file."""
        if self.type == "integer":
            return int(value)
        if self.type == "certificates":
            return certificates(value)
        if self.type == "list":
            return ",".join(separated(value))
        return value.rstrip("/") if self.type == "url" else value


_FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "text": (r"[\s\S]+", "a string"),
    "url": (r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http:// or https:// URL without credentials, query or fragment"),
    "integer": (r"-?[0-9]{1,18}", "an integer"),
    "streams": (r"\s*-?\s*\w+\s*(,\s*-?\s*\w+\s*)*", "names of streams separated by commas, such as: all, -logs"),
    "list": (r"[\s\S]*[^\s,][\s\S]*", "values separated by commas"),
    "headers": (HEADERS_PATTERN, HEADERS_EXPECTED),
    "certificates": (CERTIFICATES_PATTERN, CERTIFICATES_EXPECTED),
}


def separated(text: str) -> tuple[str, ...]:
    """The values in a list with commas between, each once.

    >>> separated("acme/api, acme/web,, acme/api")
    ('acme/api', 'acme/web')
    """
    return tuple(dict.fromkeys(value for part in text.split(",") if (value := part.strip())))


class ConfigurationError(ValueError):
    """A configuration cannot be used. The message lists every mistake, one per line, and repeats no value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(["the configuration cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Settings:
    """Checked settings: the value of each ``${name}``, the secrets among them, and warnings about unusual values."""

    values: Mapping[str, str | int] = field(repr=False)
    secrets: Secrets = field(default_factory=Secrets)
    warnings: tuple[str, ...] = ()


def check_configuration(declared: Mapping[str, Setting], configuration: Mapping[str, Any]) -> Settings:
    """Check a configuration against the declared settings.

    Args:
        declared: The settings of streams.yaml by name.
        configuration: The values that Fivetran passes: a flat object of strings. Empty strings count as absent.

    Raises:
        ConfigurationError: there are mistakes; the error has all of them and repeats no value.
    """
    problems = [
        f"{name}: unknown setting; {suggestion(name, declared)}" for name in configuration if name not in declared
    ]
    values: dict[str, str | int] = {}
    secrets: list[str] = []
    warnings: list[str] = []
    for name, setting in declared.items():
        given = configuration.get(name)
        if given is not None and not isinstance(given, str):
            problems.append(
                f"{name}: expected a string, like all values of a configuration, found {type(given).__name__}"
            )
        elif not given and setting.required:
            problems.append(f"{name}: required and missing or empty; {setting.description}")
        elif not given:
            values[name] = "" if setting.default is None else setting.convert(setting.default)
        elif not setting.accepts(given):
            problems.append(f"{name}: expected {setting.form}; found something else ({len(given)} characters)")
        else:
            values[name] = setting.convert(given)
            if setting.secret:
                secrets.append(given)
            if setting.warn_unless and not re.search(setting.warn_unless.pattern, given):
                warnings.append(f"{name}: {setting.warn_unless.message}")
    if problems:
        raise ConfigurationError(problems)
    return Settings(values, Secrets([*secrets, *environment_credentials()]), tuple(warnings))


def sample_settings(declared: Mapping[str, Setting], context: Context) -> dict[str, str | int | None]:
    """Samples of all settings, to check the rest of a file without a configuration.

    The sample of a setting whose own declaration is wrong is None. Values that use it are not checked.
    """
    samples: dict[str, str | int | None] = {}
    for name, setting in declared.items():
        samples[name] = None
        with where_known(context):
            samples[name] = _sample(setting)
    return samples


def _sample(setting: Setting) -> str | int | None:
    if setting.default is not None:
        return setting.convert(setting.default) if setting.accepts(setting.default) else None
    samples = [*SAMPLES[setting.type], *([setting.example] if setting.example else [])]
    fitting = [sample for sample in samples if setting.accepts(str(sample))]
    return next(iter(fitting), samples[0] if setting.required else "")
