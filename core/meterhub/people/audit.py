"""The audit: append-only rows, each of which carries the hash of the one before.

``hash = SHA-256(prev_hash + canonical JSON of the row)``; the first row follows 64 zeros. Rows are numbered without
gaps, so a row cut out, added, changed or cut off the end is found by ``verify``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterhub.clock import Clock
from meterhub.people.user import MAIN
from meterhub.store.engine import Row, Store, Transaction

GENESIS = "0" * 64
PART = 500
"""Rows that are verified in one go."""

CONTENT = ("operator", "at_ms", "actor", "action", "target", "before_json", "after_json", "cause", "address")

SECRET = re.compile(r"password|secret|token|key|phone|email|id_number|hash|cookie", re.IGNORECASE)
"""Names of values that never enter the audit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done: ``action`` such as ``user.disable``, ``target`` such as ``user:anna``, by ``actor``.

    ``before`` and ``after`` hold what changed. Values whose names speak of secrets or personal data are masked.
    """

    action: str
    target: str
    actor: str
    operator: str = MAIN
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    cause: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check: how many rows are sound, and the first broken one (0: none) with what is wrong."""

    rows: int
    broken: int = 0
    problem: str = ""


class Audit:
    """Writes and verifies the audit."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def write(self, tx: Transaction, entry: Entry) -> None:
        """Add a row in the transaction of the change that it tells of."""
        last = tx.one("audit.last")
        row: dict[str, Any] = {
            "operator": entry.operator,
            "at_ms": self._clock.now(),
            "actor": entry.actor,
            "action": entry.action,
            "target": entry.target,
            "before_json": None if entry.before is None else canonical(masked(entry.before)),
            "after_json": None if entry.after is None else canonical(masked(entry.after)),
            "cause": entry.cause or entry.actor,
            "address": entry.address,
        }
        prev_hash = last["hash"] if last is not None else GENESIS
        tx.insert("audit", {**row, "prev_hash": prev_hash, "hash": chained(prev_hash, row)})

    async def record(self, entry: Entry) -> None:
        """Add a row of its own."""
        await self._store.transact(lambda tx: self.write(tx, entry))

    async def verify(self) -> Verdict:
        """Walk the whole chain from its beginning, in parts so that others can run."""
        count, prev_hash = 0, GENESIS
        while rows := await self._store.query("audit.part", {"after": count, "most": PART}):
            for row in rows:
                problem = _problem(row, count + 1, prev_hash)
                if problem:
                    return Verdict(count, count + 1, problem)
                count, prev_hash = count + 1, row["hash"]
        numbers = await self._store.query("audit.numbers")
        if numbers and numbers[0]["seq"] > count:
            return Verdict(count, count + 1, "rows are missing at the end")
        return Verdict(count)


def _problem(row: Row, number: int, prev_hash: str) -> str:
    if row["id"] != number:
        return "the row is missing"
    if row["prev_hash"] != prev_hash:
        return "the row does not follow the one before"
    if row["hash"] != chained(prev_hash, row):
        return "the row was changed"
    return ""


def chained(prev_hash: str, row: Mapping[str, Any]) -> str:
    """The hash of a row that follows another."""
    content = canonical({name: row[name] for name in CONTENT})
    return hashlib.sha256((prev_hash + content).encode()).hexdigest()


def canonical(values: Mapping[str, Any]) -> str:
    """JSON in one form only: sorted keys, no spaces, UTF-8 as it is."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without secrets and personal data, by their names, at every depth."""
    return {name: "***" if SECRET.search(name) else _masked(value) for name, value in values.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked({str(name): one for name, one in value.items()})
    if isinstance(value, (list, tuple)):
        return [_masked(one) for one in value]
    return value
