"""Reading points with few exchanges: several items of one block in one frame, and single reads where that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from meterhub.errors import BadFrame, LinkDown, MeterHubError, NoAnswer, Refused
from meterhub.field.dialogue import Dialogue, PollReport
from meterhub_dlt645.blocks import NO_BLOCKS, Blocks
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.points import Point

Place: TypeAlias = tuple[int, Point, int]
"""Index in the list that was asked for, the point, and where its bytes stand in the data."""
WORTH_A_BLOCK = 2
"""So many items of a block are read as one."""
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
    groups = plan([point for _, point, _ in group.places], False, NO_BLOCKS)
    for one in groups:
        one.places = [(group.places[place][0], point, at) for place, point, at in one.places]
    return groups


def last_first(groups: Sequence[Group], blocks: Blocks, meter_id: str) -> list[Group]:
    """What is to be asked, the last first; a block that was not answered the last time is not the first question."""
    waiting = list(groups[::-1])
    if waiting and waiting[-1].is_block and blocks.doubtful(meter_id, waiting[-1].identifier):
        waiting += reversed(single_first(waiting.pop()))
    return waiting


def single_first(group: Group) -> list[Group]:
    """Its first point alone, then the block for the others."""
    first = singles(group)[0]
    rest = Group(group.identifier, True, group.length)
    taken = {index for index, _, _ in first.places}
    rest.places = [place for place in group.places if place[0] not in taken]
    return [first, rest]


def read_groups(talk: Talk, groups: Sequence[Group], blocks: Blocks) -> Dialogue[PollReport]:
    """Carry out a plan. Blocks that the meter refuses are noted in ``blocks``, and read singly.

    A meter that does not answer the first question is not asked again: ``NoAnswer`` passes. Later it costs the rest
    of the poll, while what came before is reported. A block without an answer is read singly where the meter answered
    before, and given up when that happens again; where it did not, the next poll begins with something smaller, so
    that a meter that is away is asked no more than before.
    """
    report = PollReport()
    waiting = last_first(groups, blocks, talk.where)
    heard, silent, unanswered = False, 0, ""
    while waiting:
        group = waiting.pop()
        try:
            data = yield from read_data(talk, group.identifier, group.length)
        except (Refused, BadFrame) as error:
            heard = True
            if group.is_block and isinstance(error, Refused):
                blocks.refuse(talk.where, group.identifier)
                waiting += reversed(singles(group))
            else:
                _fail(report, group, error)
        except (NoAnswer, LinkDown) as error:
            mute = group.is_block and isinstance(error, NoAnswer) and not error.heard
            if not heard:
                if mute:
                    blocks.doubt(talk.where, group.identifier)
                raise
            silent += 1
            if mute and silent < SILENCES_TO_STOP:
                unanswered = group.identifier
                waiting += reversed(singles(group))
                continue
            _fail(report, group, error)
            if isinstance(error, LinkDown) or silent == SILENCES_TO_STOP:
                while waiting:
                    _fail(report, waiting.pop(), error)
        else:
            heard, silent = True, 0
            if group.is_block:
                blocks.answered(talk.where, group.identifier)
            elif unanswered:
                blocks.unanswered(talk.where, unanswered)
                unanswered = ""
            for index, point, at in group.places:
                report.updated.append((index, *point.take(data, at)))
    return report


def _fail(report: PollReport, group: Group, error: MeterHubError) -> None:
    report.failed += [(index, error) for index, _, _ in group.places]
