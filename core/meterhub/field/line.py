"""Line: one half-duplex wire. The only place that does field I/O: one exchange at a time, by priority.

A callback state machine: bytes, a timer and new jobs move it; there is no task, lock or future per exchange::

             request sent               answer, or all tries are used up
      FREE ----------------> BUSY ----------------------------------------> FREE
       ^                      |  time-out: wait for silence, ask again
       └─────── GAP <─────────┘  (GAP also: quiet gaps; BROADCAST: nobody answers, its bytes take their time)

Everything is called in the event loop. A channel must not call back from within its ``send``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import Dropped, LinkDown, NoAnswer
from meterhub.field.causes import in_words
from meterhub.field.codec import Codec, Codecs
from meterhub.field.dialogue import Ask
from meterhub.field.envelope import Envelope
from meterhub.field.figures import ANSWERS, BYTES_IN, BYTES_OUT, TRIES
from meterhub.field.flow import Flow
from meterhub.field.line_config import LineConfig
from meterhub.field.link import Channel, LinkFacts
from meterhub.field.pacing import BROADCAST, BUSY, FREE, GAP, LONGEST_ANSWER, Pacing
from meterhub.field.queue import ROUTINE, Job, JobQueue, Priority, Turn
from meterhub.field.trace import EVENT, RECEIVED, SENT, Trace
from meterhub.texts import mark

__all__ = ["Job", "Line", "LineConfig", "Priority"]

log = logging.getLogger(__name__)

NEWEST = 0.125
"""Share of the newest round trip in the usual one."""
REQUEST_BYTES = 48
"""What beginning a read counts in a turn of the loop, see ``field.flow``."""
SILENCE_LIMIT_S = 2.0
"""How long to wait for silence after a time-out, at most: a line that is never silent is used anyway."""


class Line(Pacing):
    """Runs jobs on one wire. ``codecs`` maps a protocol's name to what makes a codec for it.

    ``on_unsolicited(frame)`` hears valid frames that come while nothing is asked.
    """

    __slots__ = (
        "_answer_bytes",
        "_codec",
        "_codecs",
        "_envelope",
        "_flow",
        "_held",
        "_running",
        "_sent_bytes",
        "_spoken",
        "_stale",
        "facts",
        "on_unsolicited",
        "trace",
    )

    def __init__(
        self,
        config: LineConfig,
        clock: Clock,
        codecs: Mapping[str, Callable[[], Codec]],
        *,
        envelope: Envelope | None = None,
        facts: LinkFacts | None = None,
        on_unsolicited: Callable[[Any], None] | None = None,
        flow: Flow | None = None,
    ) -> None:
        super().__init__(config, clock)
        self.facts = facts or LinkFacts()
        self.on_unsolicited = on_unsolicited
        self.trace = Trace(clock, config.trace_size)
        self._codecs = Codecs(codecs, config.id)
        self._codec: Codec | None = None
        self._spoken = ""  # the protocol of the last request
        self._envelope = envelope
        self._running = False
        self._flow = flow or Flow(clock)
        self._held = False
        self._sent_bytes = 0
        self._answer_bytes = 0
        """Bytes that came since the request."""
        self._stale: Callable[[Any], bool] | None = None
        """Matches the second answer to a question that was asked twice and answered by the first."""

    @property
    def enveloped(self) -> bool:
        """Is there an envelope around the frames? Then the trace shows it too."""
        return self._envelope is not None

    @property
    def garbage_bytes(self) -> int:
        """Bytes received that were no part of a valid frame."""
        return sum(codec.dropped for codec in self._codecs.values()) + self.figures.unmatched_bytes

    @property
    def last_good_ms(self) -> int | None:
        """UTC ms of the last valid answer of any meter; None when none ever answered."""
        good_at = max((one.good_at for one in self.meters.values() if one.good_at is not None), default=None)
        return None if good_at is None else self._clock.ms_of(good_at)

    def attached(self, channel: Channel) -> None:
        """There is a way to the wire; a dialogue that was using an older one hears ``LinkDown``."""
        if self._channel is not None:
            self._interrupt("replaced")
        self._channel = channel
        self._run()

    def lost(self, cause: str) -> None:
        """The way is gone: running dialogues hear ``LinkDown``, waiting reads end with it, commands wait on."""
        if self._channel is None:
            return
        self._channel = None
        self._down_cause = cause
        for job in [one for one in self._queue if one.priority > Priority.OPERATOR]:
            self._give_up(job, LinkDown(f"the connection was lost: {in_words(cause)}"))
        self._interrupt(cause)
        if self.waiting:
            self._arm(self._expire_at)

    def received(self, data: bytes, now: float | None = None) -> bool:
        """Bytes came from the wire, ``now`` if it is not said when. Was a valid frame among them?"""
        now = self._last_byte = self._clock.monotonic() if now is None else now
        self._counts[BYTES_IN] += len(data)
        self._answer_bytes += len(data)
        job = self._stack[-1] if self._phase == BUSY else None
        self.trace.add((now, RECEIVED, "" if job is None else job.meter_id, data[:LONGEST_ANSWER], ""))
        if self._envelope is not None:
            data = self._envelope.unwrap(data)
        codec = self._codec
        if codec is None:
            self.figures.unmatched_bytes += len(data)
            return False
        valid, answer = False, None
        try:
            codec.receive(data)
            while (frame := codec.next_frame()) is not None:
                valid = True
                if answer is None and job is not None and self._answers(frame, job):
                    answer = frame
                else:
                    self._foreign(frame, now)
        except Exception:
            log.exception("line %s: the codec %s failed", self.config.id, type(codec).__name__)
            codec.reset()  # the boundary to codecs: what it choked on must not stay
        if job is not None and answer is not None:
            self._answered(job, answer, now)
            self._run(now)
        return valid

    def listen(self, protocol: str) -> None:
        """Understand a protocol before anything is asked in it, for meters that speak first."""
        self._codec = self._codec or self._codecs[protocol]

    def _speak(self, protocol: str) -> Codec:
        """The codec of a protocol, which also takes what comes from now on."""
        if self._codec is None or protocol != self._spoken:
            self._codec, self._spoken = self._codecs[protocol], protocol
        return self._codec

    def gave_up(self, why: str) -> None:
        """The network says that no answer will come to what was sent last: it counts as a time-out now."""
        if self._phase == BUSY:
            self._timed_out(now := self._clock.monotonic(), why)
            self._run(now)

    def close(self) -> None:
        """The hub stops: every job ends with ``Dropped``."""
        self.lost("hub_stopped")
        for job in list(self._queue):
            self._give_up(job, Dropped("the hub stops"))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _interrupt(self, cause: str) -> None:
        """Throw ``LinkDown`` into every dialogue that has begun."""
        self._phase = FREE
        self._running = True  # nothing begins before all have heard of it
        self._silence_until = self._clear_at = 0.0
        self._stale = None
        for codec in self._codecs.values():
            codec.reset()
        if self._envelope is not None:
            self._envelope.reset()
        self.trace.add((self._clock.monotonic(), EVENT, "", b"", f"link down: {cause}"))
        for job in self._stack[::-1]:
            self._cut(job, f"the connection was lost: {in_words(cause)}")
        self._report()
        self._running = False

    def _run(self, now: float | None = None) -> None:
        """Go on until a request is on the wire, a gap has to pass, or nothing is left to do; then tell what ended."""
        if self._running or self._phase != FREE:
            return
        self._running = True
        try:
            self._go_on(now)
        finally:
            self._running = False
        if self._over:
            self._report()

    def _go_on(self, now: float | None) -> None:
        """Begin or continue dialogues while the wire is free."""
        while self._phase == FREE and self._channel is not None:
            now = self._clock.monotonic() if now is None else now
            if now >= self._expire_at:
                self._expire(now)
            if not self._stack and self._queue.best == JobQueue.NOTHING:
                return
            if self._flow.shut and not self._stack and self._queue.best >= ROUTINE:
                self._hold()
                return
            if now < self._clear_at:
                self._wait(GAP, self._clear_at)
                return
            job = self._choose(now)
            if job is not None:
                self._transmit(job, self._channel, now)

    def _hold(self) -> None:
        """Begin no routine read until what was read before can be stored."""
        if not self._held:
            self._held = True
            self._flow.hold(self._serve)

    def _serve(self, size: int) -> int:
        """Go on; a request takes about as long as so many bytes that come in."""
        self._held = False
        self._run()
        return REQUEST_BYTES

    def _transmit(self, job: Turn, channel: Channel, now: float) -> None:
        """Send the pending request of ``job``."""
        ask = job.ask
        assert ask is not None
        if self.config.meter_gap_s and now < (free_at := job.standing.free_at):
            self._wait(GAP, free_at)
            return
        try:
            codec = self._speak(job.codec)
            codec.reset()
            data = codec.encode(ask.frame)
            if self._envelope is not None:
                data = self._envelope.wrap(data, job.address if ask.match is not None else "")
            if channel.paced and (pause_s := channel.pause_s(len(data))):
                self._wait(GAP, now + pause_s)
                return
            channel.send(data)
        except LinkDown as error:
            self._cut(job, error.message)
            return
        except Exception as error:  # noqa: BLE001 - the boundary to codecs, envelopes and links
            self._end(job, None, self._as_ours(job, error))
            return
        if self._channel is channel:  # else it was lost while sending, and the dialogue knows
            self._transmitted(job, ask, data, now)

    def _transmitted(self, job: Turn, ask: Ask, data: bytes, now: float) -> None:
        """The request is on its way: count it, and wait for what it asks for."""
        size = len(data)
        counts = self._counts
        counts[TRIES] += 1
        counts[BYTES_OUT] += size
        self.trace.add((now, SENT, job.meter_id, data, f"try {job.tried + 1}" if job.tried else ""))
        self._sent_at = now
        self._sent_bytes = size
        self._answer_bytes = 0
        self._stale = None
        self._silence_until = 0.0
        wire_s = size * self._byte_s + self.facts.latency_max_s
        if ask.match is None:
            self._wait(BROADCAST, now + wire_s + self.config.gap_s)
        else:
            wait_s = self.config.timeout_s if ask.timeout_s is None else ask.timeout_s + ask.timeout_bits / self._baud
            self._latest = None
            self._phase = BUSY
            due = self._due = now + wire_s + wait_s + ask.answer_bytes * self._byte_s
            if self._timer is None or self._timer_at > due:  # mostly it fires soon enough for this one as well
                self._arm(due)

    def _answered(self, job: Turn, frame: Any, now: float) -> None:
        """The answer of the running dialogue came."""
        ask = job.ask
        assert ask is not None
        self._phase = FREE
        self._clear_at = now + self.config.gap_s if self.config.gap_s else 0.0
        trip_s = self._in_flight(now)
        self._counts[ANSWERS] += 1
        job.answered = True
        job.tries_limit = None
        standing = job.standing
        standing.trip_s += (trip_s - standing.trip_s) * (NEWEST if standing.good_at is not None else 1)
        standing.good_at = now
        if standing.failures:
            standing.recovered()
        if self.config.meter_gap_s:
            standing.free_at = now + self.config.meter_gap_s
        if job.tried and trip_s < self._sent_bytes * self._byte_s + self.facts.latency_s:
            # Too early for this try: the answer to the try before. The second one is still to come.
            self._stale = ask.match
            self._clear_at = self._due
        self._step(job, frame, None)

    def _foreign(self, frame: Any, now: float) -> None:
        """A valid frame that answers nothing that is asked now: never taken, only counted."""
        self.figures.foreign += 1
        self.trace.add((now, EVENT, "", b"", f"not asked for: {frame!r:.120}"))
        if self._stale is not None and self._stale(frame):
            self._stale = None
            self._clear_at = now
            if self._phase == GAP:
                self._wait(GAP, now)
        elif self._phase == FREE and self.on_unsolicited is not None:
            self.on_unsolicited(frame)

    def _timed_out(self, now: float, why: str = "") -> None:
        """No answer in time, or ``why`` none will come: wait for silence, then ask again or tell the dialogue."""
        job = self._stack[-1]
        ask = job.ask
        assert ask is not None
        self.figures.timeouts += 1
        self._in_flight(now)
        self.trace.add((now, EVENT, job.meter_id, b"", f"no answer: {why}" if why else "no answer"))
        self._phase = FREE
        self._clear_at = max(self._last_byte + self.config.quiet_s, now + self.config.gap_s)
        self._silence_until = now + SILENCE_LIMIT_S
        job.tried += 1
        limit = self.config.tries if ask.tries is None else ask.tries
        if job.tries_limit is not None:
            limit = min(limit, job.tries_limit)
        if job.tried < limit and not job.cancelled:
            return
        job.silent = True
        if not job.answered:
            job.tries_limit = 1  # this meter has said nothing yet: do not spend more than one try on what follows
        heard = self._answer_bytes - self._codecs[job.codec].echoed
        why = why or mark("no answer in time")
        words = mark(f"{why}, asked {job.tried} times" if job.tried > 1 else f"{why}, asked once")
        self._step(job, None, NoAnswer(words, where=job.meter_id, heard=heard))
