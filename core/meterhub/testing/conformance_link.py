"""The rules that every link must keep, as a class to subclass. It runs over the real thing in real time::

class TestMyLink(LinkConformance):
    def make_link(self, clock): ...
    async def make_far_end(self, link): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio

from meterhub.clock import Clock, seeded
from meterhub.errors import LinkDown
from meterhub.field.collector import CAUSES
from meterhub.field.link import Channel, CollectorConfig, Link, NodeFacts

REAL = Clock()
CHUNK = 700
AMOUNT = 100_000


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until ``condition()`` is true; raises ``TimeoutError``."""
    async with REAL.timeout(timeout_s):
        while not condition():
            await REAL.sleep(0.005)


class RecordingUser:
    """The hub's end of a channel, which remembers what it heard."""

    def __init__(self, collector_id: str, channel: Channel, line: int = 0) -> None:
        self.collector_id = collector_id
        self.channel = channel
        self.line = line
        self.data = bytearray()
        self.beats = 0
        self.causes: list[str] = []
        self.given_up: list[str] = []
        self.nodes: list[NodeFacts] = []
        self.signals: list[int] = []

    def received(self, data: bytes) -> None:
        """Bytes came."""
        self.data += data

    def alive(self) -> None:
        """A heartbeat came."""
        self.beats += 1

    def lost(self, cause: str) -> None:
        """The channel is gone."""
        self.causes.append(cause)

    def gave_up(self, why: str) -> None:
        """No answer will come."""
        self.given_up.append(why)

    def node(self, facts: NodeFacts) -> None:
        """The network said something of a node."""
        self.nodes.append(facts)

    def signal(self, dbm: int) -> None:
        """How strong it is received."""
        self.signals.append(dbm)


class RecordingHost:
    """A ``LinkHost`` that remembers; the newest channel wins, as in the hub."""

    def __init__(self, collectors: Sequence[CollectorConfig]) -> None:
        self.collectors = collectors
        self.users: list[RecordingUser] = []
        self.strangers: list[tuple[str, bytes, str]] = []
        self.troubles: list[str] = []
        self.lost_datagrams = 0

    def attach(self, collector_id: str, channel: Channel, line: int = 0) -> RecordingUser:
        """A collector is there."""
        for user in self.users:
            if (user.collector_id, user.line) == (collector_id, line) and not user.causes:
                user.channel.close("replaced")
        user = RecordingUser(collector_id, channel, line)
        self.users.append(user)
        return user

    def stranger(self, peer: str, first_bytes: bytes, why: str) -> None:
        """Somebody is not known."""
        self.strangers.append((peer, first_bytes, why))

    def trouble(self, text: str) -> None:
        """The link does not work."""
        self.troubles.append(text)

    def lost(self, datagrams: int) -> None:
        """Datagrams did not find room."""
        self.lost_datagrams += datagrams


class FarEnd(ABC):
    """What is at the other end of the link: a collector, connected and registered."""

    def __init__(self) -> None:
        self.data = bytearray()
        """What it received."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send bytes to the hub."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Go away."""

    @abstractmethod
    def stop_reading(self) -> None:
        """Take no more bytes from now on."""


class LinkConformance:
    """Subclass it; pytest runs the inherited tests."""

    collector = CollectorConfig("c1")
    dial_in = True
    """Do collectors call, so that a second one with the same name may come?"""
    chunk = CHUNK
    """Bytes that go at once; less for a link that carries messages of limited length."""
    piles_up = True
    """Do bytes wait in the link when the far end takes none? Datagrams do not: they are lost."""

    def make_link(self, clock: Clock) -> Link:
        """A link that is not open yet."""
        raise NotImplementedError

    async def make_far_end(self, link: Link) -> FarEnd:
        """A connected and registered far end of the open ``link``."""
        raise NotImplementedError

    @pytest.fixture
    def host(self) -> RecordingHost:
        """The hub's side."""
        return RecordingHost([self.collector])

    @pytest_asyncio.fixture
    async def link(self, host: RecordingHost) -> AsyncIterator[Link]:
        """The open link."""
        link = self.make_link(Clock())
        await link.open(host)
        yield link
        await link.close()

    async def connect(self, link: Link, host: RecordingHost) -> tuple[FarEnd, RecordingUser]:
        """A far end and the hub's end of its channel."""
        known = len(host.users)
        far = await self.make_far_end(link)
        await until(lambda: len(host.users) > known)
        return far, host.users[-1]

    async def test_bytes_arrive_bit_by_bit_as_they_were_sent(self, link: Link, host: RecordingHost) -> None:
        """Both ways, every value of a byte, in segments of all sizes."""
        far, user = await self.connect(link, host)
        chance = seeded("link")
        up, down = chance.randbytes(AMOUNT), bytes(range(256)) + chance.randbytes(AMOUNT - 256)
        for at in range(0, AMOUNT, self.chunk):
            user.channel.send(down[at : at + self.chunk])
            await far.send(up[at : at + self.chunk])
            await until(lambda end=at + self.chunk: len(far.data) >= min(end, AMOUNT))  # type: ignore[misc]
        await until(lambda: len(user.data) >= AMOUNT)
        assert bytes(far.data) == down
        assert bytes(user.data) == up

    async def test_a_far_end_that_goes_away_is_told_once_and_may_come_back(
        self, link: Link, host: RecordingHost
    ) -> None:
        """With a cause of the list, and nothing can be sent any more."""
        far, user = await self.connect(link, host)
        await far.hang_up()
        await until(lambda: user.causes)
        assert len(user.causes) == 1 and user.causes[0] in CAUSES
        with pytest.raises(LinkDown):
            user.channel.send(b"x")
        far, again = await self.connect(link, host)
        await far.send(b"hello")
        await until(lambda: again.data == b"hello")
        assert len(user.causes) == 1

    async def test_the_newest_caller_wins(self, link: Link, host: RecordingHost) -> None:
        """Two with one name: the older channel is closed, the newer works."""
        if not self.dial_in:
            pytest.skip("nobody dials in on this link")
        _, older = await self.connect(link, host)
        far, newer = await self.connect(link, host)
        assert older.causes == ["replaced"]
        newer.channel.send(b"hello")
        await until(lambda: far.data == b"hello")

    async def test_the_hub_may_close_a_channel(self, link: Link, host: RecordingHost) -> None:
        """Twice, and it is told once with the cause given."""
        _, user = await self.connect(link, host)
        user.channel.close("silent")
        user.channel.close("closed")
        await until(lambda: user.causes)
        await REAL.sleep(0.05)
        assert user.causes == ["silent"]
        with pytest.raises(LinkDown):
            user.channel.send(b"x")

    async def test_closing_the_link_is_clean(self, link: Link, host: RecordingHost) -> None:
        """Every channel is reported lost; closing again does nothing."""
        _, user = await self.connect(link, host)
        await link.close()
        assert user.causes == ["hub_stopped"]
        await link.close()

    async def test_a_far_end_that_takes_nothing_does_not_fill_the_memory(self, link: Link, host: RecordingHost) -> None:
        """What cannot be sent is refused with ``LinkDown`` in the end."""
        if not self.piles_up:
            pytest.skip("what a far end does not take is lost on this link")
        far, user = await self.connect(link, host)
        far.stop_reading()
        with pytest.raises(LinkDown):
            for _ in range(20_000_000 // min(1024, self.chunk)):
                user.channel.send(b"\x68" * min(1024, self.chunk))
                await REAL.sleep(0)
        assert user.causes == ["overflow"]
