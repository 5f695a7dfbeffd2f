"""Dialogue: a generator that says "ask this, expect that" and ends in values.

Follow-on frames, passwords and read-backs are written straight down in one
place, and can be tested without a loop::

    def read_total(meter):
        reply = yield Ask(request, match=lambda frame: frame.address == meter.address)
        return reply.value

The line that runs a dialogue throws ``NoAnswer`` or ``LinkDown`` into it at the
``yield``; a dialogue raises ``Refused`` or ``BadFrame`` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeAlias, TypeVar

from meterhub.errors import Misuse, NoAnswer

T = TypeVar("T")


class Ask:
    """One request on the line and what counts as its answer. Immutable by convention.

    ``match(frame)`` is True for the frame that answers; None means that nobody
    answers (a broadcast). ``timeout_s`` is the time that the meter may take to
    begin its answer (None: the line's default), beside ``timeout_bits`` bit times at the speed of the line; the line
    adds the wire time of the request and of ``answer_bytes``, and the link's latency. ``tries`` is how often to ask
    in all (None: the line's default); dangerous requests say 1. ``hold``
    keeps other dialogues off the line until this dialogue's next ``Ask``.
    """

    __slots__ = ("answer_bytes", "frame", "hold", "match", "timeout_bits", "timeout_s", "tries")

    def __init__(
        self,
        frame: Any,
        match: Callable[[Any], bool] | None,
        *,
        timeout_s: float | None = None,
        timeout_bits: int = 0,
        tries: int | None = None,
        answer_bytes: int = 40,
        hold: bool = False,
    ) -> None:
        self.frame = frame
        self.match = match
        self.timeout_s = timeout_s
        self.timeout_bits = timeout_bits
        self.tries = tries
        self.answer_bytes = answer_bytes
        self.hold = hold


Dialogue: TypeAlias = Generator[Ask, Any, T]
"""Yields ``Ask``s, receives the answering frame (None for a broadcast), returns the result."""


class PollReport:
    """What one poll of a meter brought; it may half succeed.

    ``updated`` holds ``(index, value, quality)``, ``failed`` holds ``(index, error)``; the
    index is that of the point in the list that was asked for. Values are scaled
    integers, booleans, texts, or None where the meter says that it has none.
    """

    __slots__ = ("failed", "updated")

    def __init__(self) -> None:
        self.updated: list[tuple[int, int | bool | str | None, str]] = []
        self.failed: list[tuple[int, Exception]] = []


class CommandReply:
    """What a command ended in. ``values`` are the values read back, by entity key; ``detail`` goes to the caller.

    A meter may need time before its state can be read back: a valve's motor, a memory being written. Then ``follow``
    makes the dialogue that looks, to be run ``after_s`` later, with the line free until then; what that ends in takes
    the place of this reply.
    """

    __slots__ = ("after_s", "detail", "follow", "values")

    def __init__(
        self,
        values: dict[str, int | bool | str | None] | None = None,
        detail: dict[str, Any] | None = None,
        *,
        follow: Callable[[], Dialogue[CommandReply]] | None = None,
        after_s: float = 0.0,
    ) -> None:
        self.values = values or {}
        self.detail = detail or {}
        self.follow = follow
        self.after_s = after_s


def rehearse(dialogue: Dialogue[T], answers: Iterable[Any]) -> tuple[list[Any], T]:
    """Run a dialogue without a line: each ``Ask`` gets the next of ``answers``.

    An answer that is an exception is thrown in. Returns the frames asked and the
    result; raises ``Misuse`` when the answers run out or do not match.
    """
    asked: list[Any] = []
    replies = iter(answers)
    try:
        ask = next(dialogue)
        while True:
            asked.append(ask.frame)
            reply = next(replies, Misuse("the dialogue asked more often than answers were given"))
            if isinstance(reply, Exception):
                ask = dialogue.throw(reply)
            elif ask.match is not None and not ask.match(reply):
                ask = dialogue.throw(NoAnswer(f"answer {reply!r} does not match the request {ask.frame!r}"))
            else:
                ask = dialogue.send(reply)
    except StopIteration as end:
        return asked, end.value
