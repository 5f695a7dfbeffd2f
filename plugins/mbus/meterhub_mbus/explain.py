"""A telegram as the JSON object of ``meterhub decode mbus``, and records as its dicts."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from meterhub_mbus.head import Head, Value
from meterhub_mbus.header import Header
from meterhub_mbus.names import APPLICATION_ERRORS, BAUD_RATES, CI_NAMES, RESETS, status_words
from meterhub_mbus.profile import Entry, expand
from meterhub_mbus.record import CutOff, Record
from meterhub_mbus.telegram import ALARMS, FIXED, Telegram, decode_telegram, selected
from meterhub_mbus.times import summer_time

APPLICATION_RESET = 0x50


def explain(data: bytes) -> dict[str, Any]:
    """One frame as the JSON object of the decoder.

    Raises only ``BadFrame``; of a telegram that is cut off its ``known`` has all that stands before that.
    """
    try:
        return explain_telegram(decode_telegram(data))
    except CutOff as cut:
        if cut.telegram is not None:
            cut.known = explain_telegram(cut.telegram) | {"cut_off": True}
        raise


def explain_telegram(telegram: Telegram) -> dict[str, Any]:
    """A telegram as the JSON object of the decoder."""
    frame = telegram.frame
    answer: dict[str, Any] = {
        "frame": frame.kind,
        "address": frame.address,
        "control": None if frame.control is None else f"{frame.control:02X}",
        "direction": "request" if frame.from_master else "response",
        "ci": None if telegram.ci is None else f"{telegram.ci:02X}",
        "ci_name": None if telegram.ci is None else CI_NAMES.get(telegram.ci, "unknown"),
        "header": None if telegram.header is None else explain_header(telegram.header, telegram.ci in FIXED),
        "records": explain_records(telegram),
        "more": telegram.more,
    }
    return answer | _explain_rest(telegram)


def records(data: bytes) -> list[dict[str, Any]]:
    """The records of one frame, as in the JSON object. Raises only ``BadFrame``."""
    return explain_records(decode_telegram(data))


def explain_header(header: Header, fixed: bool = False) -> dict[str, Any]:
    """A header; null for what its kind does not hold."""
    return {
        "id": header.id,
        "manufacturer": header.manufacturer,
        "version": header.version,
        "medium": header.medium,
        "medium_name": header.medium_name,
        "access": header.access,
        "status": header.status,
        "status_words": status_words(header.status, fixed),
        "configuration": f"{header.configuration:04X}",
    }


def explain_records(telegram: Telegram) -> list[dict[str, Any]]:
    """Records as dicts, in their order; ``reason`` only where there should be a value and is none."""
    body = telegram.body
    digits = body.hex().upper()
    answers = []
    for (head, make, at, raw), item in telegram.layout.items(body):
        value = make(item)
        answer = head.template.copy()
        answer["raw"] = digits[raw]
        if type(value) is Decimal:
            text = str(value)
            answer["value"] = text if "E" not in text else format(value, "f")
        elif head.profile:
            answer["profile"] = _explain_profile(Record(head, body[at], value), telegram)
        else:
            _explain_other(answer, head, body[at], value)
        answers.append(answer)
    return answers


def _explain_other(answer: dict[str, Any], head: Head, data: bytes, value: Value) -> None:
    """What a record says that is no number."""
    if isinstance(value, date | time):
        answer["value"] = value.isoformat()
        if isinstance(value, datetime):
            answer["summer_time"] = summer_time(data)
    elif value is not None:
        answer["value"] = value
    elif head.error or head.holds_value:
        answer["valid"] = False
        answer["reason"] = head.error or "the data are no valid number or time"


def _explain_profile(record: Record, telegram: Telegram) -> list[dict[str, Any]] | None:
    """The values of a compact profile, each with its storage number and time."""
    entries = expand(record, telegram.records)
    return None if entries is None else [_explain_entry(entry) for entry in entries]


def _explain_entry(entry: Entry) -> dict[str, Any]:
    return {
        "storage": entry.storage,
        "time": None if entry.time is None else entry.time.isoformat(),
        "value": None if entry.value is None else format(entry.value, "f"),
    }


def _explain_rest(telegram: Telegram) -> dict[str, Any]:
    """What only some kinds of telegram say."""
    ci, rest = telegram.ci, b"" if telegram.layout.parts else telegram.body
    answer: dict[str, Any] = {"encrypted": True} if telegram.encrypted else {}
    error = telegram.application_error
    if error is not None:
        answer["application_error"] = {"code": error, "reason": APPLICATION_ERRORS.get(error, "reserved")}
    elif ci in ALARMS:
        answer["alarm"] = rest.hex().upper()
    elif ci is not None and ci in BAUD_RATES:
        answer["baud"] = BAUD_RATES[ci]
    elif ci == APPLICATION_RESET:
        answer["reset"] = RESETS.get(rest[0] >> 4, "reserved") if rest else RESETS[0]
    elif (meter := selected(telegram)) is not None:
        keys = ("id", "manufacturer", "version", "medium")
        answer["selection"] = {key: getattr(meter, key) for key in keys}
    if rest:
        answer["data"] = rest.hex().upper()
    return answer
