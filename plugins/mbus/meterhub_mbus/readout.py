"""A readout: the telegrams of a meter put together, and what they say of points.

What no point shows is told by the point ``others``, so that nothing a meter sends is ever dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from meterhub.errors import BadFrame, MeterHubError, Refused
from meterhub.field.dialogue import PollReport
from meterhub.texts import mark
from meterhub_mbus.frame import Frame
from meterhub_mbus.header import Header
from meterhub_mbus.hidden import SECRETS
from meterhub_mbus.lvar import shown
from meterhub_mbus.names import APPLICATION_ERRORS, status_words
from meterhub_mbus.points import ALARM, OTHERS, Key, Point, StateValue, key_of
from meterhub_mbus.record import CutOff, Record
from meterhub_mbus.telegram import FIXED, RECORDS, read_telegram

MOST_OTHERS = 4000
"""Characters of the point ``others``."""


class Readout:
    """Everything that one readout brought. ``trouble``: why it is not complete, if so."""

    def __init__(self, where: str = "", key: bytes | None = None, identity: bytes | None = None) -> None:
        self.header: Header | None = None
        self.records: list[Record] = []
        self.rest: list[bytes] = []
        self.alarm: str | None = None
        self.trouble: MeterHubError | None = None
        self.more = False
        self._by_key: dict[Key, list[Record]] = {}
        self._where = where
        self._key = key
        self._identity = identity

    def add(self, frame: Frame) -> None:
        """Take a telegram in. Raises ``Refused`` for an application error, ``BadFrame`` for one that cannot be read."""
        self.more = False
        try:
            telegram = read_telegram(frame, self._key, self._identity)
        except CutOff as cut:
            self.trouble = cut
            self._keep(cut.records)
            return
        error = telegram.application_error
        if error is not None:
            words = APPLICATION_ERRORS.get(error, f"error {error:02X}")
            raise Refused(f"the meter reports: {words}", reply=f"{error:02X}", reasons=(words,), where=self._where)
        if telegram.encrypted:
            hint = mark("give it under options: key:, and address the meter by all 8 bytes")
            raise BadFrame("the telegram is encrypted and there is no key", where=self._where, hint=hint)
        self.header = self.header or telegram.header
        if telegram.body and telegram.ci not in RECORDS and telegram.ci not in FIXED:
            self.rest.append(bytes((telegram.ci or 0,)) + telegram.body)
        self.more = telegram.more
        self._keep(telegram.records)

    def _keep(self, records: Iterable[Record]) -> None:
        for record in records:
            self.records.append(record)
            self._by_key.setdefault(key_of(record), []).append(record)

    def record_of(self, point: Point) -> Record | None:
        """The record that a point names; None when it has not come."""
        fitting = [one for one in self._by_key.get(point.key, ()) if point.fits(one)]
        return fitting[point.index] if point.index < len(fitting) else None

    def holds(self, points: Iterable[Point]) -> bool:
        """Whether everything that is wanted has come, so that no further telegram is needed."""
        return all(
            self.header is not None if point.field and point.field != OTHERS else self.record_of(point) is not None
            for point in points
            if point.field != ALARM
        )

    def value(self, point: Point, all_points: Iterable[Point]) -> tuple[StateValue, str] | None:
        """What the readout says of a point, with its quality; None when it holds nothing of it."""
        if point.field == OTHERS:
            return self.others(all_points), "good"
        if point.field == ALARM:
            return (None, "invalid") if self.alarm is None else (self.alarm, "good")
        if point.field:
            return point.take_header(self.header) if self.header is not None else None
        record = self.record_of(point)
        return None if record is None else point.take(record)

    def others(self, points: Iterable[Point]) -> str:
        """Every record that none of ``points`` shows, one a line, and bytes that are no records."""
        shown = {id(record) for point in points if not point.field and (record := self.record_of(point)) is not None}
        lines = [_line(one) for one in self.records if id(one) not in shown and (one.data or one.head.quantity)]
        lines += [f"CI {rest[:1].hex().upper()}: {rest[1:].hex().upper()}" for rest in self.rest]
        if self.header is not None and self.header.status and (words := status_words(self.header.status)):
            lines.append("status: " + ", ".join(words))
        if self.trouble is not None:
            lines.append(self.trouble.message)
        text = "\n".join(lines)
        return text if len(text) <= MOST_OTHERS else text[: MOST_OTHERS - 1] + "…"

    def report(self, points: Sequence[Point], all_points: Mapping[str, Point]) -> PollReport:
        """The readout as the outcome of a poll of ``points``."""
        report = PollReport()
        for place, point in enumerate(points):
            found = self.value(point, all_points.values())
            if found is not None:
                report.updated.append((place, *found))
                continue
            if point.optional and self.trouble is None:
                continue
            report.failed.append((place, self.trouble or Refused("the meter does not send this", where=self._where)))
        return report


def _line(record: Record) -> str:
    """One record in words, with its bytes."""
    head, value = record.head, record.value
    place = [f"{name} {number}" for name in ("storage", "tariff", "device") if (number := getattr(head, name))]
    place += [head.function] if head.function != "instantaneous" else []
    words = ", ".join([*head.modifiers, *place])
    what = head.quantity or "maker's own data"
    if head.quantity in SECRETS:
        return f"{what}: ***"
    number = "-" if value is None else format(value, "f") if isinstance(value, Decimal) else shown(str(value))
    unit = f" {head.unit}" if head.unit else ""
    code = f"{head.code} {record.raw.hex().upper()}".strip()
    return f"{what}{f' ({words})' if words else ''}: {number}{unit} [{code}]"
