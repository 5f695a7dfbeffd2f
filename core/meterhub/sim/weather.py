"""The weather between hub and meters: delay, loss, doubling, reordering, small segments, broken connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from meterhub.sim.world import World


@dataclass(slots=True)
class Faults:
    """How often something goes wrong: probabilities from 0 to 1 per answer, except where it says otherwise."""

    drop: float = 0.0
    """No answer at all."""
    corrupt: float = 0.0
    """One byte of the answer is wrong."""
    noise: float = 0.0
    """00 or FF bytes come before the answer."""
    split: float = 0.0
    """The answer comes in two or three segments."""
    cut: float = 0.0
    """Only the beginning of the answer comes."""
    twice: float = 0.0
    """The answer comes twice, one behind the other."""
    late: float = 0.0
    """The answer comes ``late_s`` later."""
    late_s: float = 3.0
    echo: bool = False
    """The collector hears its own requests."""

    def any(self) -> bool:
        """Is any fault switched on?"""
        return any(getattr(self, one.name) for one in fields(self) if one.name != "late_s")


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong: probabilities from 0 to 1, times in simulated seconds; ``inf`` is never."""

    delay_s: tuple[float, float] = (0.0, 0.0)
    """The shortest and the longest way of a segment, evenly spread."""
    mtu: int = 0
    """Bytes of the longest segment, 0 for no limit: longer ones come in pieces."""
    lost: float = 0.0
    """Per datagram. Connections lose nothing, they stall or break."""
    twice: float = 0.0
    """Per datagram: it comes twice."""
    swapped: float = 0.0
    """Per datagram: it is overtaken by the next ones."""
    flap_s: float = float("inf")
    """Mean time until a connection breaks: closed, reset, or half-open, each as often."""
    storm_s: float = float("inf")
    """Every so often all connections break at once, and everybody calls again."""
    wire: Faults = field(default_factory=Faults)
    """What goes wrong on the wires behind the collectors."""


APART_S = 1e-5
"""Between two pieces: a loop does not keep the order of timers that are due together."""
CALM: Weather = Weather()
WEATHERS: Mapping[str, Weather] = MappingProxyType(
    {
        "calm": CALM,
        "fair": Weather(delay_s=(0.05, 0.4), mtu=200, lost=0.005, twice=0.005, swapped=0.005, flap_s=14_400.0),
        "foul": Weather(
            delay_s=(0.1, 0.6),
            mtu=64,
            lost=0.02,
            twice=0.02,
            swapped=0.02,
            flap_s=1800.0,
            storm_s=7200.0,
            wire=Faults(drop=0.05, corrupt=0.02),
        ),
    }
)
"""By the names of ``meterhub simulate --weather``."""


class Way:
    """One direction of a connection, or of a caller's datagrams."""

    def __init__(self, world: World, chance: Random, deliver: Callable[[bytes], None], datagrams: bool) -> None:
        self._world = world
        self._chance = chance
        self._deliver = deliver
        self._datagrams = datagrams
        self._free_s = 0.0

    def send(self, data: bytes) -> None:
        """Deliver it, as the weather lets it."""
        weather = self._world.weather
        if weather is CALM:
            self._deliver(data)
        elif self._datagrams:
            self._post(data, weather)
        else:
            size = weather.mtu or len(data)
            for at in range(0, len(data), size):
                self._stream(data[at : at + size], weather)

    def _stream(self, data: bytes, weather: Weather) -> None:
        """In its order, whatever the delay of the piece before."""
        clock = self._world.clock
        self._free_s = max(self._free_s + APART_S, clock.monotonic() + self._delay_s(weather))
        clock.call_at(self._free_s, self._deliver, data)

    def _post(self, data: bytes, weather: Weather) -> None:
        chance, clock = self._chance.random, self._world.clock
        if chance() < weather.lost:
            return
        delay_s = self._delay_s(weather)
        if chance() < weather.swapped:
            delay_s += self._world.wait_s(2 * weather.delay_s[1])
        clock.call_later(delay_s, self._deliver, data)
        if chance() < weather.twice:
            clock.call_later(delay_s + self._delay_s(weather), self._deliver, data)

    def _delay_s(self, weather: Weather) -> float:
        return self._world.wait_s(self._chance.uniform(*weather.delay_s))
