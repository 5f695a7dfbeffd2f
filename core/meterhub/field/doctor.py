"""The line doctor: says from the recent bytes and tries of a line what is wrong with it. Pure; it asks nobody.

Each finding has a code, its values, and the bytes that prove it; its words stand in ``doctor_words``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from meterhub.field.trace import RECEIVED, SENT, TraceEntry

START = b"\x68"
"""With this byte frames of DL/T 645, CJ/T 188 and M-Bus begin; 7E is what becomes of their FE without its top bit."""
ENOUGH = 8
"""Requests that say something of the share that is answered."""
WAKE_UP, WAKE_UP_CUT = b"\xfe", b"\x7e"


class Sight(NamedTuple):
    """A valid frame: ``direction`` is ``request`` or ``response``."""

    data: bytes
    direction: str
    address: str


See = Callable[[bytes], tuple[Sequence[Sight], bytes]]
"""The frames in bytes, by any protocol of the line, and the bytes that are left over."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``values`` fill in the words of the code; ``proof`` are the bytes to show for it."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    proof: bytes = b""
    ms: int = 0


class Exchange:
    """A request, and what came until the next one; ``meter_id`` '' for bytes that came before any request."""

    def __init__(self, meter_id: str, sent: bytes, ms: int) -> None:
        self.meter_id = meter_id
        self.sent = sent
        self.ms = ms
        self.heard = b""
        self.echo = False
        self.foreign: list[Sight] = []
        self.answers: list[Sight] = []
        self.left = b""

    def look(self, see: See, before: Exchange | None) -> None:
        """Sort what came; the request of the exchange ``before`` may be echoed late."""
        heard = self.heard
        if self.sent and heard.startswith(self.sent):
            self.echo, heard = True, heard[len(self.sent) :]
        frames, self.left = see(heard)
        for one in frames:
            if one.direction == "response":
                self.answers.append(one)
            elif one.data.lstrip(WAKE_UP) == self.sent.lstrip(WAKE_UP):
                self.echo = True
            elif before is not None and one.data.lstrip(WAKE_UP) == before.sent.lstrip(WAKE_UP):
                before.echo = True
            else:
                self.foreign.append(one)


def exchanges_of(entries: Sequence[TraceEntry]) -> Iterator[Exchange]:
    """The exchanges in a trace, oldest first; the first one holds what came before any request."""
    current = Exchange("", b"", entries[0].ms if entries else 0)
    for entry in entries:
        if entry.direction == SENT:
            yield current
            current = Exchange(entry.meter_id, entry.data, entry.ms)
        elif entry.direction == RECEIVED:
            current.heard += entry.data
    yield current


def diagnose(
    entries: Sequence[TraceEntry], see: See, *, connected: bool, baud: int, expected: int = 24
) -> list[Finding]:
    """What is wrong, the most telling first; ``healthy`` when nothing is. ``expected``: bytes of a usual answer."""
    if not connected:
        return [Finding("offline")]
    before, *asked = list(exchanges_of(entries))
    for earlier, one in zip((None, before, *asked), (before, *asked), strict=False):
        one.look(see, earlier)
    if not asked:
        return [*_noise([before]), Finding("not_asked")]
    if cut := _wrong_parity([before, *asked]):
        return cut
    found = [*_foreign([before, *asked]), *_twice(asked)]
    if not any(one.answers for one in asked):
        found += _nobody(asked, baud, expected)
    else:
        found += [*_spoilt(asked), *_quiet(asked)]
        found += _noise([before, *asked]) if not found else []
        found += _echo(asked)
    if all(one.code == "echo" for one in found):
        found.append(_answered(asked))
    return found


def _answered(asked: Sequence[Exchange]) -> Finding:
    """How many were answered, when nothing else was found; the newest may still be under way."""
    over = asked if asked[-1].answers else asked[:-1] or asked
    good = sum(bool(one.answers) for one in over)
    lossy = (len(over) >= ENOUGH and good * 10 < len(over) * 9) or (
        len(over) >= ENOUGH / 2 and good * 4 < len(over) * 3
    )
    return Finding("lossy" if lossy else "healthy", {"good": good, "asked": len(over)})


def _foreign(exchanges: Sequence[Exchange]) -> list[Finding]:
    sights = [(sight, one.ms) for one in exchanges for sight in one.foreign]
    if not sights:
        return []
    first, ms = sights[0]
    return [Finding("foreign_master", {"count": len(sights), "address": first.address}, first.data, ms)]


def _twice(asked: Sequence[Exchange]) -> list[Finding]:
    """Two different answers of one address to one request (a repeated one is the same, byte by byte).

    What answers the request before, late or once more over another path, does not count.
    """
    for before, one in pairwise([Exchange("", b"", 0), *asked]):
        late = before.meter_id == one.meter_id and not before.answers
        known = {answer.data for answer in before.answers}
        answers = [answer for answer in one.answers if answer.data not in known]
        for answer in answers[1:]:
            if not late and answer.address == answers[0].address and answer.data != answers[0].data:
                meter = f"{answer.address} ({one.meter_id})" if one.meter_id else answer.address
                return [Finding("same_address", {"meter": meter}, one.heard, one.ms)]
    return []


def _echo(asked: Sequence[Exchange]) -> list[Finding]:
    echoed = [one for one in asked if one.echo]
    if len(echoed) * 2 < len(asked):
        return []
    return [Finding("echo", {"count": len(echoed), "asked": len(asked)}, echoed[0].heard, echoed[0].ms)]


def _spoilt(asked: Sequence[Exchange]) -> list[Finding]:
    """Bytes in the place of an answer, but no frame, although other answers are right."""
    spoilt = [one for one in asked if len(one.left) >= 8 and not one.answers]
    if not spoilt:
        return []
    by_meter = Counter(one.meter_id for one in spoilt)
    good = {one.meter_id for one in asked if one.answers}
    always = [meter for meter, count in by_meter.items() if meter not in good and count > 1]
    first = spoilt[0]
    if len(always) == 1 and len(by_meter) == 1:
        return [Finding("spoilt_meter", {"meter": always[0]}, first.left, first.ms)]
    if len(spoilt) * 5 >= len(asked) and len(by_meter) > 1:
        return [Finding("collision", {"spoilt": len(spoilt), "asked": len(asked)}, first.left, first.ms)]
    return []


def _quiet(asked: Sequence[Exchange]) -> list[Finding]:
    answered = {one.meter_id for one in asked if one.answers}
    tried = Counter(one.meter_id for one in asked if not one.heard or (one.echo and not one.left))
    quiet = sorted(meter for meter, count in tried.items() if count > 1 and meter not in answered)
    return [Finding("quiet_meters", {"meters": ", ".join(quiet[:20])})] if quiet else []


def _nobody(asked: Sequence[Exchange], baud: int, expected: int) -> list[Finding]:
    """Not one valid answer: what do the bytes look like?"""
    heard = [one for one in asked if one.left]
    if not heard:
        echoed = [one for one in asked if one.echo]
        if echoed:
            return [Finding("echo_only", {}, echoed[0].heard, echoed[0].ms)]
        return [Finding("silence", {"asked": len(asked)}, asked[-1].sent, asked[-1].ms)]
    longest = max(heard, key=lambda one: len(one.left))
    data = b"".join(one.left for one in heard)
    ratio = len(data) / (expected * len(heard))
    values = {"ratio": f"{ratio:.1f}", "baud": baud}
    if len(data) >= 8 and ratio > 1.0 and _calm(data) > 0.75:
        return [Finding("slower_meters", values, longest.left, longest.ms)]
    if 0.02 < ratio < 0.7 and len(heard) * 2 >= len(asked):
        return [Finding("faster_meters", values, longest.left, longest.ms)]
    if START in data and len({one.meter_id for one in heard}) == 1:
        return [Finding("spoilt_meter", {"meter": heard[0].meter_id}, longest.left, longest.ms)]
    if START in data:
        return [Finding("collision", {"spoilt": len(heard), "asked": len(asked)}, longest.left, longest.ms)]
    return _noise(asked)


def _wrong_parity(exchanges: Sequence[Exchange]) -> list[Finding]:
    """The top bit of every byte is missing; that makes requests of some answers, and their sums may even be right."""
    heard = [one for one in exchanges if one.heard and not one.echo]
    data = b"".join(one.heard for one in heard)
    if any(one.answers for one in exchanges) or len(data) < 8 or max(data) >= 0x80:
        return []
    if WAKE_UP_CUT not in data and START not in data:
        return []
    longest = max(heard, key=lambda one: len(one.heard))
    return [Finding("wrong_parity", {}, longest.heard, longest.ms)]


def _calm(data: bytes) -> float:
    """The share of bytes with at most two changes from bit to bit: what a slower sender's long bits look like."""
    return sum(_changes(byte) <= 2 for byte in data) / len(data)


def _changes(byte: int) -> int:
    return ((byte ^ byte >> 1) & 0x7F).bit_count()


def _noise(exchanges: Sequence[Exchange]) -> list[Finding]:
    spoilt = [one for one in exchanges if one.sent and not one.answers and START in one.left]  # answers once
    left = [one for one in exchanges if one.left.strip(WAKE_UP) and one not in spoilt]
    amount = sum(len(one.left.strip(WAKE_UP)) for one in left)
    if amount < 4 or (len(left) * 10 < len(exchanges) and exchanges[0] not in left):
        return []
    longest = max(left, key=lambda one: len(one.left))
    return [Finding("noise", {"bytes": amount}, longest.left, longest.ms)]
