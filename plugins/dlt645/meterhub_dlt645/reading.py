"""Reading points with few exchanges: several items of one block in one frame, and single reads where that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from meterhub.errors import BadFrame, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import Dialogue, PollReport
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.points import Point

Place: TypeAlias = tuple[int, Point, int]
"""Index in the list that was asked for, the point, and where its bytes stand in the data."""
WORTH_A_BLOCK = 2
"""So many items of a block are read as one."""
NO_BLOCKS: frozenset[str] = frozenset()
SILENCES_TO_STOP = 2
"""Exchanges in a row without answer after which the rest of a poll is not tried."""


class Group:
    """What one exchange reads."""

    __slots__ = ("identifier", "is_block", "length", "places")

    def __init__(self, identifier: str, is_block: bool, length: int | None) -> None:
        self.identifier = identifier
        self.is_block = is_block
        self.length = length
        self.places: list[Place] = []


def plan(points: Sequence[Point], blocks: bool, refused: frozenset[str]) -> list[Group]:
    """The exchanges that read ``points``, in the order of their first point; ``refused`` blocks are not used."""
    wanted: dict[str, set[str]] = {}
    for point in points:
        if blocks and point.block and point.block not in refused:
            wanted.setdefault(point.block, set()).add(point.identifier)
    groups: dict[str, Group] = {}
    for index, point in enumerate(points):
        as_block = len(wanted.get(point.block, ())) >= WORTH_A_BLOCK
        identifier = point.block if as_block else point.identifier
        group = groups.get(identifier)
        if group is None:
            group = groups[identifier] = Group(identifier, as_block, point.block_length if as_block else point.length)
        group.places.append((index, point, point.block_at if as_block else point.at))
    return list(groups.values())


def singles(group: Group) -> list[Group]:
    """The same points without the block."""
    groups = plan([point for _, point, _ in group.places], False, frozenset())
    for one in groups:
        one.places = [(group.places[place][0], point, at) for place, point, at in one.places]
    return groups


def read_groups(talk: Talk, groups: Sequence[Group], refused: dict[str, frozenset[str]]) -> Dialogue[PollReport]:
    """Carry out a plan. Blocks that the meter refuses are noted in ``refused`` under its id, and read singly.

    A meter that does not answer the first question is not asked again: ``NoAnswer`` passes. Later it costs the rest
    of the poll, while what came before is reported.
    """
    report = PollReport()
    waiting = list(groups[::-1])
    heard, silent = False, 0
    while waiting:
        group = waiting.pop()
        try:
            data = yield from read_data(talk, group.identifier, group.length)
        except Refused as error:
            heard = True
            if group.is_block:
                refused[talk.where] = refused.get(talk.where, NO_BLOCKS) | {group.identifier}
                waiting += reversed(singles(group))
            else:
                _fail(report, group, error)
        except BadFrame as error:
            heard = True
            _fail(report, group, error)
        except (NoAnswer, LinkDown) as error:
            if not heard:
                raise
            _fail(report, group, error)
            silent += 1
            if isinstance(error, LinkDown) or silent == SILENCES_TO_STOP:
                while waiting:
                    _fail(report, waiting.pop(), error)
        else:
            heard, silent = True, 0
            for index, point, at in group.places:
                report.updated.append((index, *point.take(data, at)))
    return report


def _fail(report: PollReport, group: Group, error: MeterHubError) -> None:
    report.failed += [(index, error) for index, _, _ in group.places]
