"""When a supply may be switched by command: always on, but off only when all is known and nobody is hurt by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from meterhub.clock import Clock, utc
from meterhub.config.days import is_one_of
from meterhub.money import ledger
from meterhub.money.policy import Policy
from meterhub.store.engine import Row, Transaction
from meterhub.texts import mark

HOUR_MS = 3_600_000
PENDING = mark("a payment is under way")
STALE = mark("the meter has not answered for too long")
PENDING_MOST_MS = HOUR_MS
"""How long payments that are begun and not made keep a supply on; else whoever orders again and again pays never."""


@dataclass(frozen=True, slots=True)
class Switching:
    """The rules of an operator, in the site's ``zone``. ``answered(meter)``: when it answered last."""

    policy: Policy
    clock: Clock
    zone: tzinfo
    answered: Callable[[str], int | None]

    def figures(self, tx: Transaction, account: Row) -> dict[str, Any]:
        """What a decision is made of, and kept with it."""
        name, operator, now_ms = account["id"], account["operator"], self.clock.now()
        credit = ledger.balance(tx, operator, ledger.prepaid(name))
        owed = -ledger.balance(tx, operator, ledger.receivable(name))
        paying = tx.one("money.paying_now", {"account": name, "now_ms": now_ms})
        cuts = tx.one("money.cuts_since", {"operator": operator, "account": name, "since_ms": now_ms - HOUR_MS})
        assert paying is not None and cuts is not None
        return {
            "credit_fen": credit - owed,
            "owed_fen": owed,
            "hour": self._now().hour,
            "day": self._now().date().isoformat(),
            "paying": paying["n"],
            "cuts": cuts["n"],
            "answered_ms": self.answered(account["meter"]),
        }

    def may(self, wanted: str, figures: Mapping[str, Any], last: Row | None) -> tuple[bool, str]:
        """Whether it is done now, and why (not); ``last`` is the decision before."""
        if wanted == "on":
            return True, mark("there is credit again")
        why = self._quiet() or self._pending(figures, last) or self._stale(figures)
        if not why and figures["cuts"] >= self.policy.most_cuts:
            why = mark(f"{self.policy.most_cuts} were cut off within the last hour, and no more may be")
        return (False, why) if why else (True, mark("the credit is used up"))

    def _quiet(self) -> str:
        start, end = self.policy.no_cut_hours
        hour = self._now().hour
        if start <= hour < end if start <= end else hour >= start or hour < end:
            return mark(f"nobody is cut off between {start} and {end} o'clock")
        if is_one_of(self._now().date(), self.policy.no_cut_days):
            return mark("nobody is cut off on this day")
        return ""

    def _pending(self, figures: Mapping[str, Any], last: Row | None) -> str:
        since_ms = self.clock.now()
        if last is not None and last["reason"] == PENDING:
            since_ms = last["at_ms"]
        return PENDING if figures["paying"] and self.clock.now() - since_ms < PENDING_MOST_MS else ""

    def _stale(self, figures: Mapping[str, Any]) -> str:
        answered_ms = figures["answered_ms"]
        if answered_ms is None or self.clock.now() - answered_ms <= self.policy.fresh_s * 1000:
            return ""
        return STALE

    def _now(self) -> datetime:
        return utc(self.clock.now()).astimezone(self.zone)
