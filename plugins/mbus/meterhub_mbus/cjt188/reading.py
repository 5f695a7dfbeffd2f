"""Reading points with few exchanges: all fields of one identifier come in one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meterhub.errors import BadFrame, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import Dialogue, PollReport
from meterhub_mbus.cjt188.exchange import Reply, Talk, read_data
from meterhub_mbus.cjt188.options import Dialect
from meterhub_mbus.cjt188.payload import Item, decode_payload
from meterhub_mbus.cjt188.points import Point

Group = list[tuple[int, Point]]
SILENCES_TO_STOP = 2
"""Exchanges in a row without answer after which the rest of a poll is not tried. Many meters are silent to identifiers
that they do not know, so that a single silence says little."""


def plan(points: Sequence[Point]) -> list[Group]:
    """The exchanges that read ``points``: index and point, by identifier, in the order of their first point."""
    groups: dict[tuple[int, str], Group] = {}
    for index, point in enumerate(points):
        groups.setdefault((point.control, point.identifier), []).append((index, point))
    return list(groups.values())


def items_by_key(identifier: str, reply: Reply, dialect: Dialect) -> Mapping[str, Item]:
    """The items of an answer by the key of their field."""
    items = decode_payload(identifier, reply.meter_type, True, reply.payload, dialect.position)
    return {item.field.key: item for item in items}


def read_groups(talk: Talk, groups: Sequence[Group]) -> Dialogue[PollReport]:
    """Carry out a plan.

    A meter that does not answer the first question is not asked again: ``NoAnswer`` passes, and the next poll finds out
    its order anew, as it may be another meter by then. Later a silence costs the rest of the poll, while what came
    before is reported.
    """
    report = PollReport()
    heard, silent = False, 0
    for number, group in enumerate(groups):
        point = group[0][1]
        try:
            reply = yield from read_data(talk, point.identifier, point.control)
        except (Refused, BadFrame) as error:
            heard = True
            _fail(report, group, error)
        except (NoAnswer, LinkDown) as error:
            if not heard:
                if isinstance(error, NoAnswer):
                    talk.memory.forget_order()
                raise
            _fail(report, group, error)
            silent += 1
            if isinstance(error, LinkDown) or silent == SILENCES_TO_STOP:
                for rest in groups[number + 1 :]:
                    _fail(report, rest, error)
                return report
        else:
            heard, silent = True, 0
            items = items_by_key(point.identifier, reply, talk.dialect)
            report.updated += [(index, *one.take(items, reply.payload, talk.dialect)) for index, one in group]
    return report


def _fail(report: PollReport, group: Group, error: MeterHubError) -> None:
    report.failed += [(index, error) for index, _ in group]
