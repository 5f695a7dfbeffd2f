"""What a tenant has used and paid: by hour, day and month of the site's time, from the opening of the account on.

Nothing before that day is told: it was somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from meterhub.clock import utc
from meterhub.devices.device import Device
from meterhub.devices.entity import Entity, EntityDef, Role
from meterhub.money import ledger
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.store.engine import Row, Step, Store
from meterhub.web import values

USED = ("charge", "charge_owed")
SPANS = ("day", "month", "year")
FORMS = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


def main_register(device: Device) -> Entity | None:
    """What a meter counts: its first reading that only grows; None for one that counts nothing."""
    for entity in device.entities:
        known = entity.definition
        if known.accumulate and known.role is Role.READING and not (known.hidden or known.secret or known.permission):
            return entity
    return None


def balance_entity(device: Device) -> Entity | None:
    """What the meter says is left in money."""
    known = (one for one in device.entities if one.definition.meaning == "balance" and one.definition.kind == "money")
    return next(known, None)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, a month or a year of the site's time. ``start`` is its first day."""

    span: str
    start: date

    @classmethod
    def of(cls, span: str, at: str, today: date) -> Period:
        """The period that a URL names; this very one when it names none, or one to come."""
        span = span if span in SPANS else "month"
        try:
            found = datetime.strptime(at, FORMS[span]).date()  # noqa: DTZ007 - a day of the calendar, in no zone
        except ValueError:
            found = today
        return cls(span, _first(span, min(found, today)))

    @property
    def name(self) -> str:
        """``2026-11-30``, ``2026-11`` or ``2026``, as in the URL."""
        return self.start.strftime(FORMS[self.span])

    def moved(self, steps: int) -> Period:
        """The period so many later, or earlier."""
        if self.span == "day":
            return Period("day", self.start + timedelta(days=steps))
        months = self.start.year * 12 + self.start.month - 1 + steps * (12 if self.span == "year" else 1)
        return Period(self.span, date(months // 12, months % 12 + 1, 1))

    def as_span(self, span: str, today: date) -> Period:
        """The period of another span that has its last day, or today."""
        return Period(span, _first(span, min(self.moved(1).start - timedelta(days=1), today)))

    def starts(self, zone: tzinfo) -> list[int]:
        """When each hour, day or month of it begins, and when it ends."""
        after = self.moved(1).start
        if self.span == "day":
            first, last = _ms(self.start, zone), _ms(after, zone)
            return [*range(first, last, 3_600_000), last]
        if self.span == "month":
            days = [self.start + timedelta(days=one) for one in range((after - self.start).days + 1)]
            return [_ms(one, zone) for one in days]
        return [_ms(date(self.start.year + month // 12, month % 12 + 1, 1), zone) for month in range(13)]


def _first(span: str, day: date) -> date:
    return day if span == "day" else day.replace(day=1) if span == "month" else day.replace(month=1, day=1)


def _ms(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


async def used(
    store: Store, entity: Entity, period: Period, since_ms: int, now_ms: int, zone: tzinfo
) -> list[int | None]:
    """What was used in each part of a period, in the entity's scale; None for a part without readings."""
    borders = period.starts(zone)
    step = Step.HOUR if period.span == "day" else Step.DAY
    opened = utc(since_ms).astimezone(zone)
    least = since_ms // 3_600_000 * 3_600_000 if step is Step.HOUR else _ms(opened.date(), zone)
    from_ms, to_ms = max(borders[0], least), min(borders[-1], now_ms + 1)
    parts: list[int | None] = [None] * (len(borders) - 1)
    if from_ms >= to_ms:
        return parts
    place = 0
    for bucket in await store.buckets(entity.id, from_ms, to_ms, step, zone):
        while place < len(parts) - 1 and bucket.start_ms >= borders[place + 1]:
            place += 1
        if bucket.consumption is not None:
            parts[place] = (parts[place] or 0) + int(bucket.consumption)
    return parts


def rows_of(period: Period, definition: EntityDef, now: Sequence[int | None], before: Sequence[int | None],
            zone: tzinfo) -> list[dict[str, str]]:  # fmt: skip
    """The rows of the chart's table: each part with what the period before had in its place."""
    form = {"day": "%H:%M", "month": "%Y-%m-%d", "year": "%Y-%m"}[period.span]
    found = []
    for place, start in enumerate(period.starts(zone)[:-1]):
        here, there = now[place], before[place] if place < len(before) else None
        found.append(
            {
                "t": str(start),
                "time": utc(start).astimezone(zone).strftime(form),
                **_told("v", "text", definition, here),
                **_told("before", "before_text", definition, there),
            }
        )
    return found


def _told(key: str, text: str, definition: EntityDef, value: int | None) -> dict[str, str]:
    shown = "" if value is None else str(definition.shown(value))
    return {key: shown, text: values.grouped(shown) if shown else "–"}


def total(definition: EntityDef, parts: Sequence[int | None]) -> str:
    """The sum of the parts, exact; "" when there is none."""
    known = [one for one in parts if one is not None]
    return values.grouped(str(definition.shown(sum(known)))) if known else ""


async def money_by_month(money: Money, account: Row, year: int, zone: tzinfo) -> list[dict[str, str]]:
    """What was paid, given back and booked as used in each month of a year in which something was, newest first.

    These are the lines of the ledger, to the fen.
    """
    name = account["id"]
    books = {"prepaid": ledger.prepaid(name), "receivable": ledger.receivable(name)}
    from_ms, to_ms = _ms(date(year, 1, 1), zone), _ms(date(year + 1, 1, 1), zone)
    lines = await money.all(
        "ledger.of_account_between", operator=account["operator"], from_ms=from_ms, to_ms=to_ms, **books
    )
    months: dict[str, list[int]] = {}
    for line in lines:
        sums = months.setdefault(utc(line["at_ms"]).astimezone(zone).strftime("%Y-%m"), [0, 0, 0])
        for place, fen in enumerate(_effect(line)):
            sums[place] += fen
    return [
        {"month": month, "paid": yuan(paid), "back": yuan(back) if back else "", "used": yuan(spent)}
        for month, (paid, back, spent) in sorted(months.items(), reverse=True)
    ]


def _effect(line: Row) -> tuple[int, int, int]:
    """What a line paid in, gave back, and booked as used."""
    kind, fen = line["kind"], int(line["fen"])
    if kind in ("payment", "applied"):
        return fen, 0, 0
    if kind in ("refund_planned", "refund_dropped"):
        return 0, fen if kind == "refund_planned" else -fen, 0
    return 0, 0, fen if kind in USED else 0
