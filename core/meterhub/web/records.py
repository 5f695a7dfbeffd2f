"""Rows of a collection in the two forms that leave the house: JSON with strict types, and cells of a table as text.

In JSON a time is epoch milliseconds and money is an integer of fen, as stored; in a table a time is the site's local
time and money has two decimals, as people write them. Secrets never leave, they only come in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

import voluptuous as vol

from meterhub.clock import utc
from meterhub.collections import Collection, Field
from meterhub.errors import BadInput
from meterhub.web.params import moment, parse_json

MAX_TEXT = 4_000
MAX_WHOLE = 2**53
FORMULA = ("=", "+", "-", "@", "\t", "\r")
TRUE, FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


def shown_fields(collection: Collection) -> list[Field]:
    """The fields whose values may leave; a table begins with ``id``."""
    return [one for one in collection.fields if one.type != "secret" and one.name != "id"]


def row_json(collection: Collection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the API shows it."""
    return {"id": row["id"], **{one.name: row.get(one.name) for one in shown_fields(collection)}}


def row_schema(collection: Collection, *, partial: bool) -> vol.Schema:
    """What may be sent to add a row, or (``partial``) to change one."""
    keys: dict[Any, Any] = {}
    for one in collection.fields:
        if one.edit:
            key = vol.Required(one.name) if one.required and not partial else vol.Optional(one.name)
            keys[key] = validator(one)
    return vol.Schema(keys)


def validator(one: Field) -> Any:
    """The check of one field; None clears what is not required."""
    check: Any
    if one.choices:
        check = vol.In(list(one.choices) if one.required or "" in one.choices else ["", *one.choices])
    else:
        check = _CHECKS.get(one.type, _text)
    return check if one.required else vol.Any(None, check)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise vol.Invalid("expected text")
    if len(value) > MAX_TEXT:
        raise vol.Invalid(f"at most {MAX_TEXT} characters")
    if "\x00" in value:
        raise vol.Invalid("text holds no zero character")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_WHOLE:
        raise vol.Invalid("expected a whole number")
    return value


def _number(value: Any) -> int | str:
    if isinstance(value, str):
        return str(_decimal(value))
    return _whole(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise vol.Invalid("expected true or false")
    return value


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text.strip()) if len(text) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise vol.Invalid("expected a number such as 12.5")
    return number


_CHECKS: Mapping[str, Any] = {
    "number": _number,
    "boolean": _boolean,
    "time": _whole,
    "money": _whole,
    "json": vol.Any(dict, list),
}

JSON_TYPES: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": ["integer", "string"]},
    "boolean": {"type": "boolean"},
    "time": {"type": "integer", "description": "UTC epoch milliseconds"},
    "money": {"type": "integer", "description": "fen"},
    "json": {},
}


def field_schema(one: Field) -> dict[str, Any]:
    """The JSON schema of one field."""
    schema = dict(JSON_TYPES.get(one.type, {"type": "string"}))
    schema["title"] = one.label.get("en") or one.name
    if one.choices:
        schema["enum"] = [*one.choices] if one.required else [*dict.fromkeys([*one.choices, "", None])]
    if "type" in schema and not one.required and not one.choices:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*kinds, "null"]
    return schema


def to_cell(one: Field, value: Any, zone: tzinfo) -> str:
    """A value as text for a table. Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if one.type == "time":
        return utc(int(value)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if one.type == "money":
        return f"{Decimal(int(value)).scaleb(-2):f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if one.type == "number":
        return guarded(str(value))
    if isinstance(value, dict | list | tuple):
        return guarded(json.dumps(value, ensure_ascii=False, default=str))
    return guarded(str(value))


def guarded(text: str) -> str:
    """The text, made harmless for spreadsheets; numbers stay as they are."""
    if not text.startswith(FORMULA) and not text.startswith("'"):
        return text
    try:
        Decimal(text)
    except InvalidOperation:
        return "'" + text
    return text


def unguarded(text: str) -> str:
    """The inverse of ``guarded``."""
    return text[1:] if text.startswith("'") and text[1:].startswith((*FORMULA, "'")) else text


def from_cell(one: Field, text: str, zone: tzinfo) -> Any:
    """The inverse of ``to_cell``; None for an empty cell. Raises ``BadInput``."""
    if text.strip() == "":
        return None
    try:
        return _from_cell(one, text, zone)
    except vol.Invalid as problem:
        raise BadInput(f"{problem.error_message}, not {text[:50]!r}", where=one.name) from None


def _from_cell(one: Field, text: str, zone: tzinfo) -> Any:
    if one.type == "time":
        return moment(text.strip(), one.name, zone)
    if one.type == "money":
        fen = _decimal(text).scaleb(2)
        if fen != fen.to_integral_value():
            raise vol.Invalid("expected money with at most two decimals")
        return int(fen)
    if one.type == "boolean":
        word = text.strip().lower()
        if word not in TRUE + FALSE:
            raise vol.Invalid("expected true or false")
        return word in TRUE
    if one.type == "number":
        number = _decimal(text)
        return int(number) if number == number.to_integral_value() else str(number)
    if one.type == "json":
        return parse_json(unguarded(text))
    return unguarded(text)
