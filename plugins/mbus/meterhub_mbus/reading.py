"""Reading a meter: one conversation, as many telegrams as it takes, and not one more."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from meterhub.errors import NoAnswer
from meterhub.field.dialogue import Dialogue, PollReport
from meterhub.field.protocol import Meter
from meterhub_mbus.exchange import APPLICATION_RESET, REQ_UD1, Talk, is_ack
from meterhub_mbus.points import ALARM, Point
from meterhub_mbus.readout import Readout

MOST_TELEGRAMS = 32
"""Telegrams of one readout before a meter is taken to be out of its mind."""


def read(meter: Meter, points: Sequence[Point], memory: MutableMapping[str, bool]) -> Dialogue[PollReport]:
    """Read ``points`` in one readout. ``NoAnswer`` and ``LinkDown`` pass unless something has come already."""
    talk = Talk(meter, memory)
    yield from talk.begin()
    selection = meter.options.get("application_reset")
    if selection is not None:
        yield from talk.tell(APPLICATION_RESET, bytes.fromhex(selection))
    readout = yield from read_out(talk, meter, points)
    if any(point.field == ALARM for point in points):
        yield from _ask_for_alarms(talk, readout)
    return readout.report(points, meter.points)


def read_out(talk: Talk, meter: Meter, points: Sequence[Point]) -> Dialogue[Readout]:
    """Ask for telegram after telegram until ``points`` have come, there are no more, or the meter repeats itself."""
    readout = Readout(meter.id, _key(meter), talk.address.secondary or None)
    before = b""
    for _ in range(meter.options.get("telegrams", MOST_TELEGRAMS)):
        try:
            frame = yield from talk.request()
        except NoAnswer as silence:
            if not readout.records:
                raise
            readout.trouble = silence
            break
        if frame.raw == before:
            break
        before = frame.raw
        readout.add(frame)
        if not readout.more or readout.holds(points):
            break
    return readout


def _ask_for_alarms(talk: Talk, readout: Readout) -> Dialogue[None]:
    """Class-1 data: the alarm bytes in hex, or an empty text."""
    reply = yield from talk.request(REQ_UD1)
    readout.alarm = "" if is_ack(reply) else reply.data.hex().upper()


def _key(meter: Meter) -> bytes | None:
    key = meter.options.get("key")
    return None if key is None else bytes.fromhex(key)
