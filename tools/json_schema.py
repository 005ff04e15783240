"""The JSON Schemas (draft 2020-12) of streams.yaml and configuration.json, for editors and other validators.

Editors know two more keywords: they show ``patternErrorMessage`` instead of the regular expression, and
``markdownDescription`` instead of ``description``, in which they would not render backticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import singledispatch
from typing import Any

from engine.declare.blocks import Block, Key, Object, Union, exactly_one_of, keys_of, required_one_of
from engine.declare.values import (
    Boolean,
    Choice,
    Constant,
    Duration,
    Integer,
    Json,
    JsonObject,
    MapOf,
    OneOrMore,
    Scalar,
    Size,
    Text,
    ValueType,
    duration_text,
)
from engine.spec.configuration import Setting
from engine.spec.dialect import Spec

Schema = dict[str, Any]

_PLACEHOLDER = r"^\$\{[^}]*\}$"


def streams_schema() -> Schema:
    """The JSON Schema of streams.yaml."""
    definitions: dict[str, Schema] = {}
    schema = block_schema(Spec, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streams.yaml",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def configuration_schema(declared: Mapping[str, Setting], title: str) -> Schema:
    """The JSON Schema of configuration.json; accepts what ``check_configuration`` accepts."""
    properties: Schema = {}
    for name, setting in declared.items():
        pattern = f"^({setting.value_pattern})$"
        described: Schema = {"type": "string", "description": setting.description}
        described["pattern"] = pattern if setting.required else f"^$|{pattern}"
        described["patternErrorMessage"] = f"expected {setting.form}"
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
    """The contents of configuration.json.example: the example, the default or, if required, a placeholder."""
    return {
        name: setting.example or setting.default or (f"<{name.upper()}>" if setting.required else "")
        for name, setting in declared.items()
    }


@singledispatch
def json_schema(value_type: ValueType, definitions: dict[str, Schema]) -> Schema:
    """The schema of a value type. Blocks are put into ``definitions`` and referred to."""
    raise TypeError(f"no JSON Schema for {type(value_type).__name__}")


@json_schema.register
def _(text: Text, definitions: dict[str, Schema]) -> Schema:
    if text.pattern is None:
        return {"type": "string"}
    return {
        "type": "string",
        "pattern": rf"^({text.pattern})$|\$\{{",
        "patternErrorMessage": f"expected {text.expected}",
    }


@json_schema.register
def _(integer: Integer, definitions: dict[str, Schema]) -> Schema:
    schema: Schema = {
        "type": ["integer", "string"],
        "minimum": integer.minimum,
        "pattern": _PLACEHOLDER,
        "patternErrorMessage": f"expected {integer.words}",
    }
    if integer.maximum is not None:
        schema["maximum"] = integer.maximum
    return schema


@json_schema.register
def _(boolean: Boolean, definitions: dict[str, Schema]) -> Schema:
    return {"type": "boolean"}


@json_schema.register
def _(choice: Choice, definitions: dict[str, Schema]) -> Schema:
    words: Schema = {"enum": list(choice.choices)}
    if choice.about:
        words["markdownEnumDescriptions"] = [choice.about.get(word, "") for word in choice.choices]
    if choice.other is not None:
        words = {"anyOf": [words, json_schema(choice.other, definitions)]}
    return {"if": {"type": "string", "pattern": _PLACEHOLDER}, "then": {}, "else": words}


@json_schema.register
def _(constant: Constant, definitions: dict[str, Schema]) -> Schema:
    return {"const": constant.value}


@json_schema.register
def _(span: Duration, definitions: dict[str, Schema]) -> Schema:
    pattern = rf"^{span.pattern}$|{_PLACEHOLDER}"
    return {"type": "string", "pattern": pattern, "patternErrorMessage": f"expected {span.expected}"}


@json_schema.register
def _(size: Size, definitions: dict[str, Schema]) -> Schema:
    return {"type": "string", "pattern": f"^{size.pattern}$", "patternErrorMessage": f"expected {size.expected}"}


@json_schema.register
def _(value: Json, definitions: dict[str, Schema]) -> Schema:
    return {}


@json_schema.register
def _(value: Scalar, definitions: dict[str, Schema]) -> Schema:
    return {"type": ["string", "number", "boolean", "null"]}


@json_schema.register
def _(value: JsonObject, definitions: dict[str, Schema]) -> Schema:
    return {"type": "object"}


@json_schema.register
def _(several: OneOrMore, definitions: dict[str, Schema]) -> Schema:
    item = json_schema(several.item, definitions)
    return {"if": {"type": "array"}, "then": {"type": "array", "items": item, "minItems": 1}, "else": item}


@json_schema.register
def _(mapping: MapOf, definitions: dict[str, Schema]) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": json_schema(mapping.value, definitions)}
    if mapping.name_pattern:
        schema["propertyNames"] = {
            "pattern": f"^{mapping.name_pattern}$",
            "patternErrorMessage": f"a {mapping.noun} must be named with {mapping.name_expected}",
        }
    if not mapping.may_be_empty:
        schema["minProperties"] = 1
    return schema


@json_schema.register
def _(value: Object, definitions: dict[str, Schema]) -> Schema:
    name = value.block.__name__
    if name not in definitions:
        definitions[name] = {}  # a block may contain itself
        definitions[name] = block_schema(value.block, definitions)
    reference: Schema = {"$ref": f"#/$defs/{name}"}
    if value.shorthand is None:
        return reference
    return {"if": {"type": "object"}, "then": reference, "else": json_schema(value.short.type, definitions)}


@json_schema.register
def _(union: Union, definitions: dict[str, Schema]) -> Schema:
    branches: list[Schema] = []
    for word, block in union.blocks.items():
        name = f"{union.noun.title().replace(' ', '')}_{word}"
        definitions[name] = block_schema(block, definitions, {"style": {"const": word}})
        condition = {"properties": {"style": {"const": word}}, "required": ["style"]}
        branches.append({"if": condition, "then": {"$ref": f"#/$defs/{name}"}})
    styles = {"style": {"enum": list(union.blocks)}}
    return {
        "if": {"type": "object"},
        "then": {"required": ["style"], "properties": styles, "allOf": branches},
        "else": {"enum": [*union.alone]},
    }


def block_schema(block: type[Block], definitions: dict[str, Schema], besides: Schema | None = None) -> Schema:
    """The schema of a block, closed: no key that is not declared.

    Args:
        block: The dataclass.
        definitions: Takes the blocks that it contains.
        besides: Properties that are not among the block's own keys.
    """
    properties: Schema = dict(besides or {})
    for k in keys_of(block):
        described: Schema = {"description": k.description, **json_schema(k.type, definitions)}
        if "`" in k.description:
            described["markdownDescription"] = k.description
        if (default := default_of(k)) is not None:
            described["default"] = default
        properties[k.name] = described
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if block.__doc__:
        schema["description"] = " ".join(block.__doc__.split())
    required = [k.name for k in keys_of(block) if k.required]
    if required:
        schema["required"] = required
    if required_one_of(block):
        which = "oneOf" if exactly_one_of(block) else "anyOf"
        schema[which] = [{"required": [name]} for name in required_one_of(block)]
    return schema


def default_of(k: Key) -> str | int | None:
    """A key's default as the file would write it; None if it has none, or none that the file could write."""
    if k.required:
        return None
    default = k.default_text or (duration_text(k.default) if isinstance(k.default, timedelta) else k.default)
    return default if isinstance(default, (str, int)) and default != "" else None
