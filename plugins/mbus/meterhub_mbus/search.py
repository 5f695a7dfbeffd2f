"""Search of a line by secondary addresses, digit by digit, then by all primary ones.

Whoever is selected acknowledges with E5; several of these lie upon each other and look like one. So an E5 means "one
or more", and only a telegram that comes through says "one". Anything else that is heard is a collision::

    select 1FFFFFFF   silence -> nobody      E5 -> REQ_UD2   telegram -> one meter, proven by its full address
                      garbage -> several                     garbage, silence -> several: one digit more

Meters of one kind answer in step, and then two telegrams that differ in a bit or two can lie upon each other as one
that is valid. Beside each meter found the numbers that could hide behind it so are asked, too.

Every outcome is remembered. A search that was interrupted runs through what it knows already and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from meterhub.errors import NoAnswer
from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.search import MOST_FOUND, Search
from meterhub_mbus.address import SELECTED, Address, maker_name
from meterhub_mbus.exchange import (
    ANSWER_BYTES,
    REQ_UD2,
    SND_NKE,
    ask,
    fits_identity,
    identity,
    is_ack,
    is_telegram,
    selection,
)
from meterhub_mbus.frame import FRAME_COUNT_BIT, FRAME_COUNT_VALID, Frame, short_frame
from meterhub_mbus.narrowing import NO_FABRICATION, Axis, axes, by_fabrication, by_number, neighbours

SILENT, ONE, SEVERAL = range(3)
EVERYTHING = Address(SELECTED, b"\xff" * 8)
PRIMARY_ADDRESSES = range(251)
TREE_WEIGHT = 10**15
"""The weight of the whole tree; every branch has its share of it, so that progress can be told."""
PRIMARY_WEIGHT = TREE_WEIGHT // 5
FIRST_REQUEST = REQ_UD2 | FRAME_COUNT_VALID | FRAME_COUNT_BIT
QUICK, PATIENT = 1, 3
"""How often a question is asked. A branch that must hold several, but in which fewer were found, is gone through again
with patience: a frame may have been lost."""
MOST_QUESTIONS = 200_000
EDITION = "EN 13757"


class LineSearch(Search):
    """``model(identity)`` names the profile to configure for the 8 bytes of a meter."""

    def __init__(self, model: Callable[[bytes], str]) -> None:
        super().__init__()
        self._model = model
        self._outcomes: dict[tuple[Address, int], int] = {}
        self._who: dict[Address, bytes] = {}
        """The meter that was found alone at an address."""
        self._weight = 0
        self._over = False

    @property
    def percent(self) -> int:
        """Share of the tree and of the primary addresses that is done."""
        return 100 if self._over else min(99, self._weight * 100 // (TREE_WEIGHT + PRIMARY_WEIGHT))

    def dialogue(self) -> Dialogue[None]:
        """First the tree of secondary addresses, then the primary ones."""
        self._weight = 0
        yield from self._explore(EVERYTHING, TREE_WEIGHT, QUICK)
        yield Ask(short_frame(SND_NKE, SELECTED), None)
        for number in PRIMARY_ADDRESSES:
            yield from self._primary(Address(number))
            self._weight += PRIMARY_WEIGHT // len(PRIMARY_ADDRESSES)
        self._over = True

    def _explore(self, address: Address, weight: int, tries: int) -> Dialogue[int]:
        """How many meters were found among those that ``address`` selects; several that cannot be told apart count."""
        begun = self._weight
        outcome = yield from self._outcome(address, tries)
        if outcome == SEVERAL and tries == QUICK and axes(address) != (by_number,):
            outcome = yield from self._outcome(address, PATIENT)
        count = outcome
        if outcome == SEVERAL:
            count = yield from self._tell_apart(address, weight, tries)
        for hidden in neighbours(self._who[address]) if outcome == ONE else ():
            if address.fits(hidden.secondary):
                count += yield from self._explore(hidden, 0, tries)
        self._weight = begun + weight
        return count

    def _tell_apart(self, address: Address, weight: int, tries: int) -> Dialogue[int]:
        """Narrow an address along one axis after the other until what was found explains the collision."""
        best = 0
        for axis in axes(address):
            for patience in (tries, PATIENT) if axis is by_number else (tries,):
                if best < SEVERAL:
                    best = max(best, (yield from self._along(address, axis, weight, patience)))
        if best < SEVERAL and axes(address) != (by_number,):
            self._not_told_apart(address)
            return SEVERAL
        return best

    def _along(self, address: Address, axis: Axis, weight: int, tries: int) -> Dialogue[int]:
        if axis is by_fabrication and not address.fabrication:
            nobody = replace(address, fabrication=NO_FABRICATION)
            if (yield from self._outcome(nobody, tries)) != SILENT:
                return 0  # they do not look at it: every digit would answer
        makers = {bytes(one["identity"][4:6]) for one in self.found}
        children = axis(address, makers)
        count = 0
        for child in children:
            count += yield from self._explore(child, weight // (2 * len(children)), tries)
        return count

    def _outcome(self, address: Address, tries: int) -> Dialogue[int]:
        known = self._outcomes.get((address, tries))
        if known is None:
            known = yield from self._ask(address, tries)
            if len(self._outcomes) < MOST_QUESTIONS:
                self._outcomes[address, tries] = known
        return known

    def _ask(self, address: Address, tries: int) -> Dialogue[int]:
        """Select, and have whoever acknowledged say who it is."""
        self.asked += 1
        try:
            yield ask(selection(address), is_ack, tries=tries)
        except NoAnswer as silence:
            return SEVERAL if silence.heard else SILENT
        frame = yield from self._telegram(SELECTED, address.secondary, tries)
        if frame is None:
            return SEVERAL
        who = identity(frame) or address.secondary
        whole = replace(address, secondary=who)
        if whole != address and axes(whole) == (by_number,):
            return SEVERAL  # it does not say who it is
        if whole != address and not (yield from self._is_there(whole)):
            return SEVERAL
        self._keep(str(whole), who)
        self._who[address] = who
        return ONE

    def _is_there(self, address: Address) -> Dialogue[bool]:
        """Whether a meter answers to the full address that it gave, alone."""
        self.asked += 1
        try:
            yield ask(selection(address), is_ack, tries=PATIENT)
        except NoAnswer:
            return False
        return (yield from self._telegram(SELECTED, address.secondary, PATIENT)) is not None

    def _telegram(self, primary: int, secondary: bytes, tries: int) -> Dialogue[Frame | None]:
        self.asked += 1

        def match(frame: Frame) -> bool:
            return is_telegram(frame) and (fits_identity(secondary, frame) if secondary else frame.address == primary)

        try:
            frame: Frame = yield ask(short_frame(FIRST_REQUEST, primary), match, ANSWER_BYTES, tries, hold=False)
        except NoAnswer:
            return None
        return frame

    def _primary(self, address: Address) -> Dialogue[None]:
        """Whoever answers to a primary address and was not found by its secondary one."""
        if (address, QUICK) in self._outcomes:
            return
        self.asked += 1
        outcome = SILENT
        try:
            yield ask(short_frame(SND_NKE, address.primary), is_ack, tries=QUICK)
        except NoAnswer as silence:
            outcome = SEVERAL if silence.heard else SILENT
        else:
            frame = yield from self._telegram(address.primary, b"", PATIENT)
            outcome = SEVERAL if frame is None else ONE
            who = identity(frame) if frame is not None else b""
            known = [place for place, one in enumerate(self.found) if who and one["identity"] == who]
            for place in known:
                self.found[place] = {**self.found[place], "also": (str(address),)}
            if frame is not None and not known:
                self._keep(str(address), who or b"\xff" * 8)
        if outcome == SEVERAL:
            self._not_told_apart(address)
        self._outcomes[address, QUICK] = outcome

    def _keep(self, address: str, who: bytes) -> None:
        if len(self.found) < MOST_FOUND and all(one["address"] != address for one in self.found):
            self.found.append(
                {
                    "address": address,
                    "edition": EDITION,
                    "profile": self._model(who),
                    "identity": who,
                    "maker": maker_name(who[4:6]) if who[4:6] != b"\xff\xff" else "",
                }
            )

    def _not_told_apart(self, address: Address) -> None:
        if str(address) not in self.unresolved and len(self.unresolved) < MOST_FOUND:
            self.unresolved.append(str(address))
