"""Forms from descriptions: the fields of a collection, the schema of an action, the definition of a setting.

A form field is a dict that ``_parts.html`` draws: name, label, kind (text, number, password, boolean, choice, date,
long), value, required, choices, unit, help, error, minimum, maximum, step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import voluptuous as vol

from meterhub.collections import Collection, Field
from meterhub.devices.entity import EntityDef
from meterhub.errors import BadInput, MeterHubError
from meterhub.texts import Texts, mark
from meterhub.web import values
from meterhub.web.tables import choice_label

_KINDS = {"number": "number", "money": "number", "boolean": "boolean", "choice": "choice", "secret": "password"}
MAX_LENGTH = 4000


def blank(name: str, label: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """A form field with everything as usual."""
    usual: dict[str, Any] = {
        "value": "",
        "required": False,
        "choices": (),
        "unit": "",
        "help": "",
        "error": "",
        "minimum": None,
        "maximum": None,
        "step": "",
    }
    return {"name": name, "label": label, "kind": kind, **usual, **more}


def of_collection(
    collection: Collection,
    texts: Texts,
    row: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    *,
    filled: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The editable fields of a collection, filled from ``row``, those of a new row from ``filled``; ``errors`` are
    shown at their fields."""
    known = (filled or {}) if row is None else row
    return [
        _of_field(one, texts, known.get(one.name), (errors or {}).get(one.name, ""), new=row is None)
        for one in collection.fields
        if one.edit
    ]


def _of_field(one: Field, texts: Texts, value: Any, error: str, new: bool) -> dict[str, Any]:
    kind = "choice" if one.choices else _KINDS.get(one.type, "text")
    shown: Any = "" if value is None or one.type == "secret" else str(value)
    if one.type == "money" and isinstance(value, int):
        shown = str(Decimal(value).scaleb(-2))
    if kind == "boolean":
        shown = value in (True, "true", "1", "on")
    return blank(
        one.name,
        texts.pick(one.label),
        kind,
        value=shown,
        required=one.required and (new or one.type != "secret"),
        choices=[(choice, choice_label(one, choice, texts)) for choice in one.choices],
        unit=one.unit,
        help=texts.pick(one.help),
        error=error,
        step="0.01" if one.type == "money" else "any" if one.type == "number" else "",
    )


def taken(collection: Collection, given: Mapping[str, Any], texts: Texts) -> tuple[dict[str, Any], dict[str, str]]:
    """What was sent, typed by field, and what is wrong with it, by field. A secret left empty is not changed."""
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in collection.fields:
        if not one.edit:
            continue
        text = str(given.get(one.name, "")).strip()[:MAX_LENGTH]
        if one.type == "boolean":
            found[one.name] = text == "true"
        elif not text:
            if one.type != "secret":
                found[one.name] = None
            if one.required and one.type != "secret":
                errors[one.name] = texts(mark("This is needed."))
        elif one.choices and text not in one.choices:
            errors[one.name] = texts(mark("Choose one of the list."))
        else:
            _typed(one, text, found, errors, texts)
    return found, errors


def _typed(one: Field, text: str, found: dict[str, Any], errors: dict[str, str], texts: Texts) -> None:
    try:
        if one.type == "money":
            cents = Decimal(text).scaleb(2)
            if cents != cents.to_integral_value():
                raise InvalidOperation
            found[one.name] = int(cents)
        elif one.type == "number":
            number = Decimal(text)
            found[one.name] = int(number) if number == number.to_integral_value() else str(number)
        else:
            found[one.name] = text
    except (InvalidOperation, ValueError, OverflowError):
        errors[one.name] = texts(mark("Write a number, such as 12 or 12.50."))


def errors_at_fields(error: MeterHubError, fields: Sequence[dict[str, Any]], texts: Texts) -> MeterHubError | None:
    """Put an error that names a field (``where``) at that field; returns it when it belongs to none."""
    for one in fields:
        if error.where.rpartition(".")[2] == one["name"] or error.where.rpartition(" ")[2] == one["name"]:
            one["error"] = texts.said(error.message)
            return None
    return error


PARAMETERS = {
    "afresh": mark("From the beginning"),
    "address": mark("Address"),
    "alone": mark("The meter is alone on its line"),
    "amount": mark("Amount"),
    "class": mark("Class of record"),
    "count": mark("Count"),
    "customer": mark("Customer number"),
    "entity": mark("Setting"),
    "events": mark("Events"),
    "frame": mark("Frame in hex"),
    "from": mark("From"),
    "how": mark("How"),
    "level": mark("Password level"),
    "limits": mark("Limits"),
    "line": mark("Line"),
    "mac_1": mark("First authentication code"),
    "mac_2": mark("Second authentication code"),
    "number": mark("Purchase number"),
    "on": mark("On"),
    "output": mark("Output"),
    "prices": mark("Prices"),
    "protocol": mark("Protocol"),
    "register": mark("Item"),
    "registration": mark("Registration packet"),
    "speed": mark("Speed in baud"),
    "step_prices": mark("Prices by step"),
    "to": mark("To"),
    "value": mark("Value"),
    "when": mark("When"),
}
"""What the parameters of the core's own actions are called; others are shown by their names."""
CHOICES = {
    "write": mark("Write"),
    "broadcast": mark("Broadcast to all"),
    "second pulse": mark("Second pulse"),
    "demand period": mark("Demand period"),
    "tariff switch": mark("Tariff switch"),
}


def of_schema(schema: Mapping[Any, Any], texts: Texts, prefix: str = "p-") -> list[dict[str, Any]]:
    """The parameters of an action that a person can fill in. Optional lists and mappings are left to the API."""
    fields = []
    for key, check in schema.items():
        name = str(key.schema if isinstance(key, vol.Marker) else key)
        required = isinstance(key, vol.Required) or not isinstance(key, vol.Marker)
        kind, choices = _kind_of(check)
        if kind is None and not required:
            continue
        label = texts(PARAMETERS.get(name) or name.replace("_", " ").capitalize())
        choices = [(value, texts(word)) for value, word in choices]
        told = texts(str(getattr(key, "description", "") or ""))
        fields.append(blank(prefix + name, label, kind or "text", required=required, choices=choices, help=told))
    return fields


def _kind_of(check: Any) -> tuple[str | None, Sequence[tuple[str, str]]]:
    if isinstance(check, vol.In):
        return "choice", [(str(one), CHOICES.get(one, str(one))) for one in list(check.container)]  # type: ignore[arg-type]
    if check is bool:
        return "boolean", ()
    if check in (int, float):
        return "number", ()
    if check is str or isinstance(check, vol.Any | vol.All):
        return "text", ()
    return None, ()


def params(schema: Mapping[Any, Any], given: Mapping[str, Any], prefix: str = "p-") -> dict[str, Any]:
    """The parameters that a form sent, typed as the schema wants them."""
    found: dict[str, Any] = {}
    for key, check in schema.items():
        name = str(key.schema if isinstance(key, vol.Marker) else key)
        if check is bool:
            if given.get(prefix + name) is not None or isinstance(key, vol.Required):
                found[name] = given.get(prefix + name) == "true"
            continue
        text = given.get(prefix + name)
        if text in (None, ""):
            continue
        if check is int:
            try:
                found[name] = int(str(text))
            except ValueError:
                raise BadInput(f"{name} must be a whole number", where=f"params {name}") from None
        else:
            found[name] = str(text)[:MAX_LENGTH]
    return found


def of_setting(definition: EntityDef, shown: bool | str | None, texts: Texts) -> list[dict[str, Any]]:
    """The one field that sets an entity, named as the parameters of ``meter.write``."""
    words = values.words_of(definition, texts)
    kind = "choice" if words else "number" if definition.kind in ("number", "money") else "text"
    bounds = {
        name: str(Decimal(bound).scaleb(-definition.scale)) if bound is not None else None
        for name, bound in (("minimum", definition.minimum), ("maximum", definition.maximum))
    }
    step = Decimal(definition.step or 1).scaleb(-definition.scale)
    value = "" if shown is None or definition.secret else str(shown).lower() if isinstance(shown, bool) else shown
    return [
        blank(
            "p-value",
            texts.pick(definition.name),
            kind,
            value=value,
            required=True,
            choices=list(words.items()),
            unit=definition.unit,
            step=f"{step:f}" if kind == "number" else "",
            **bounds,
        )
    ]
