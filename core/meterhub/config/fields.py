"""From a schema to fields, from which forms, tables of the docs and OpenAPI are derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from meterhub.config.base import Type
from meterhub.config.schema import ListOf


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a schema.

    ``type`` is the name of a type of ``config.types``, ``list`` (of ``fields`` or ``item``), or ``group`` (a mapping
    with ``fields``). ``default`` is written as in the file, None when there is none. ``help`` comes from the marker's
    ``description``.
    """

    name: str
    type: str
    label: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: Any = None
    maximum: Any = None
    unit: str = ""
    secret: bool = False
    help: str = ""
    item: str = ""
    fields: tuple[Field, ...] = ()


_PLAIN = {str: "text", int: "whole", bool: "boolean", dict: "mapping", list: "list"}


def fields_of(schema: Mapping[Any, Any]) -> list[Field]:
    """The fields of a voluptuous mapping, in its order. A key that is a type (any key) is named ``*``."""
    return [_field(key, value) for key, value in schema.items()]


def _field(key: Any, value: Any) -> Field:
    name = "*" if isinstance(key, type | Type) else str(key)
    marked = isinstance(key, vol.Marker)
    default: Any = getattr(key, "default", vol.UNDEFINED)
    facts: dict[str, Any] = {
        "label": name.replace("_", " ").capitalize(),
        "required": isinstance(key, vol.Required),
        "default": None if isinstance(default, vol.Undefined) else default(),
        "help": str(key.description or "") if marked else "",
    }
    return Field(name, **facts, **_shape(value))


def _shape(value: Any) -> dict[str, Any]:
    """What the type of a value tells: its name, limits, choices, inner fields."""
    if isinstance(value, Type):
        return {
            "type": value.name,
            "choices": value.choices,
            "minimum": value.minimum,
            "maximum": value.maximum,
            "unit": value.unit,
            "secret": value.secret,
        }
    if isinstance(value, vol.Any | vol.All):
        return _combined(value)
    if isinstance(value, Mapping):
        return {"type": "group", "fields": tuple(fields_of(value))}
    if isinstance(value, ListOf) or (isinstance(value, list) and value):
        inner = _shape(value.item if isinstance(value, ListOf) else value[0])
        limits = {name: getattr(value, name, None) for name in ("minimum", "maximum")}
        return {"type": "list", "item": inner["type"], "fields": inner.get("fields", ()), **limits}
    if isinstance(value, vol.In):
        allowed: Any = value.container
        return {"type": "choice", "choices": tuple(str(one) for one in allowed)}
    return {"type": _PLAIN.get(value, "text") if isinstance(value, type) else "text"}


def _combined(value: Any) -> dict[str, Any]:
    """``All`` is told by its first part with the limits of a ``Range``; ``Any`` by all words, or its richest part."""
    parts = list(value.validators)
    if isinstance(value, vol.Any):
        if all(isinstance(part, str) for part in parts):
            return {"type": "choice", "choices": tuple(parts)}
        return _shape(next((part for part in parts if isinstance(part, Mapping | ListOf | list)), parts[0]))
    shape = _shape(parts[0])
    for part in parts[1:]:
        if isinstance(part, vol.Range):
            shape |= {"minimum": part.min, "maximum": part.max}
        elif isinstance(part, vol.In):
            shape |= _shape(part)
    return shape


def describe(schema: Mapping[Any, Any]) -> str:
    """A Markdown table of the keys, inner ones written as ``heartbeat.every`` and ``lines[].id``."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for field in fields_of(schema):
        rows += _rows(field, "")
    return "\n".join(rows) + "\n"


def _rows(field: Field, prefix: str) -> list[str]:
    name = prefix + field.name
    default = "**required**" if field.required and field.default is None else _default_text(field.default)
    rows = [f"| `{name}` | {_value_text(field)} | {default} | {_cell(field.help)} |"]
    inner = f"{name}[]." if field.type == "list" else f"{name}."
    for one in field.fields:
        rows += _rows(one, inner)
    return rows


def _value_text(field: Field) -> str:
    if field.type == "choice":
        return ", ".join(f"`{choice}`" for choice in field.choices)
    words = {"list": f"list of {field.item or 'values'}", "group": "mapping"}.get(field.type, field.type)
    words = words.replace("list of group", "list of mappings").replace("_", " ")
    if field.type == "text" or (field.minimum is None and field.maximum is None):
        return words
    if field.type == "list":
        return words if field.maximum is None else f"{words}, at most {field.maximum}"
    low, high = ("" if limit is None else limit for limit in (field.minimum, field.maximum))
    return f"{words} {low}…{high} {field.unit}".rstrip()


def _default_text(default: Any) -> str:
    if default is None or default == "" or default == [] or default == {}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
