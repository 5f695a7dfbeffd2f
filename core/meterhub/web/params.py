"""What a request gives: query parameters and JSON bodies, checked strictly, with the near miss of an unknown name."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any

import voluptuous as vol
from aiohttp import web

from meterhub.clock import Clock
from meterhub.errors import BadInput, TooLarge
from meterhub.texts import mark
from meterhub.web.rooms import ROOMS

MAX_TEXT = 200
BODY_TIMEOUT_S = 30.0


class WrongType(BadInput):
    """The body is not of the content type that the route takes."""

    code = "wrong_type"
    status = 415


def unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    """The error for a name that is not known, with the near miss."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:MAX_TEXT], names, 1)
    hint = mark(f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}")
    return BadInput(f"there is no {what} {name[:MAX_TEXT]}", where=name[:MAX_TEXT], hint=hint)


def query_of(request: web.Request, known: Names[str]) -> Mapping[str, str]:
    """The query parameters; raises ``BadInput`` for one that is unknown or too long."""
    given = request.query
    for name, value in given.items():
        if name not in known:
            raise unknown("parameter", name, known)
        if len(value) > MAX_TEXT:
            raise BadInput(f"at most {MAX_TEXT} characters", where=name)
    return given


def whole(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds; raises ``BadInput``."""
    text = given.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadInput(f"{text!r} is not a whole number from {least} to {most}", where=name)
    return int(text)


def choice(given: Mapping[str, str], name: str, default: str, choices: Names[str]) -> str:
    """One of some words; raises ``BadInput``."""
    word = given.get(name, default)
    if word not in choices:
        raise BadInput(f"{word!r} is none of: {', '.join(filter(None, choices))}", where=name)
    return word


def moment(text: str, name: str, zone: tzinfo) -> int:
    """Epoch ms of a time given as ISO 8601 or epoch ms; without an offset it is the site's. Raises ``BadInput``."""
    if text.isascii() and text.isdigit() and len(text) > 8:
        return int(text[:18])
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            parsed = datetime(day.year, day.month, day.day, tzinfo=zone)
        else:
            # A plus sign that was not escaped arrives as a space.
            parsed = datetime.fromisoformat(text[:19] + text[19:].replace(" ", "+"))
            parsed = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=zone)
        return int(parsed.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadInput(
            f"{text!r} is no time", where=name, hint="ISO 8601 such as 2026-11-24T00:00:00Z, or epoch milliseconds"
        ) from None


def to_cursor(text: str) -> str:
    """An opaque cursor that stands for ``text``."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> str:
    """The inverse; raises ``BadInput`` for what was never one."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadInput("this is no cursor of ours", where="cursor", hint="take it from the answer before") from None


async def read_body(request: web.Request) -> bytes:
    """The body, within the size limit and half a minute; raises ``TooLarge`` (by aiohttp) or ``BadInput``."""
    try:
        async with request.app[ROOMS].clock.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except TimeoutError:
        raise BadInput("the body did not arrive in time", hint=f"{BODY_TIMEOUT_S:.0f} s at most") from None


async def read_raw(request: web.Request, clock: Clock, most: int) -> bytes:
    """The whole body in however many pieces it comes, within half a minute.

    Raises ``TooLarge`` as soon as there are more than ``most`` bytes, ``BadInput`` when the time is over.
    """
    found = bytearray()
    try:
        async with clock.timeout(BODY_TIMEOUT_S):
            async for piece in request.content.iter_any():
                found += piece
                if len(found) > most:
                    raise TooLarge(f"the body has more than {most} bytes")
    except TimeoutError:
        raise BadInput("the body did not arrive in time", hint=f"{BODY_TIMEOUT_S:.0f} s at most") from None
    return bytes(found)


async def read_json(request: web.Request, schema: vol.Schema) -> dict[str, Any]:
    """The JSON object of the body, checked; raises ``BadInput`` naming the key, or ``WrongType``."""
    if request.content_type != "application/json":
        raise WrongType(f"the body is {request.content_type}", hint="send Content-Type: application/json")
    return checked(parse_json(await read_body(request)), schema)


def parse_json(body: bytes | str) -> Any:
    """JSON as the standard has it (no NaN); raises ``BadInput``."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except RecursionError:
        raise BadInput("the JSON is nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"this is no JSON: {error}"[:MAX_TEXT]) from None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def checked(content: Any, schema: vol.Schema) -> dict[str, Any]:
    """An object that fits the schema; raises ``BadInput`` naming the key, and the near miss of an unknown one."""
    if not isinstance(content, dict):
        raise BadInput("an object is expected", hint='such as {"target": "a-101"}')
    try:
        fitting: dict[str, Any] = schema(content)
    except vol.Invalid as problem:
        raise _explain(problem.errors[0] if isinstance(problem, vol.MultipleInvalid) else problem, schema) from None
    except RecursionError:
        raise BadInput("the JSON is nested too deeply") from None
    return fitting


def _explain(problem: vol.Invalid, schema: vol.Schema) -> BadInput:
    key = ".".join(str(part) for part in problem.path)[:MAX_TEXT]
    if problem.error_message == "extra keys not allowed" and len(problem.path) == 1:
        return unknown("key", key, [str(one) for one in schema.schema])
    return BadInput(f"{key}: {problem.error_message}" if key else str(problem.error_message), where=key)


def text_of(most: int, least: int = 0) -> vol.All:
    """A schema for text of some length."""
    return vol.All(str, vol.Length(min=least, max=most))
