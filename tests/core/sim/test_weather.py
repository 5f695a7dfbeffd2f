"""The weather between hub and twins: what it does to segments of a connection and to datagrams."""

from __future__ import annotations

from meterhub.sim.weather import CALM, WEATHERS, Way, Weather
from meterhub.sim.world import World


def way(clock, weather, *, datagrams=False):
    """A way in ``weather``, and what arrives: bytes with their time."""
    world, arrived, begin_s = World(clock, weather=weather), [], clock.monotonic()
    return Way(
        world, world.random("way"), lambda data: arrived.append((clock.monotonic() - begin_s, data)), datagrams
    ), arrived


async def test_a_calm_way_delivers_at_once(clock):
    one, arrived = way(clock, CALM)
    one.send(b"now")
    assert arrived == [(0.0, b"now")]


async def test_a_connection_cuts_into_small_segments_that_stay_in_order(clock):
    one, arrived = way(clock, Weather(delay_s=(0.1, 0.6), mtu=3))
    one.send(bytes(range(100)))
    await clock.advance(1)
    assert b"".join(data for _, data in arrived) == bytes(range(100))
    assert max(len(data) for _, data in arrived) == 3
    assert all(0.1 <= at_s <= 0.61 for at_s, _ in arrived)


async def test_datagrams_are_lost_doubled_and_overtaken(clock):
    one, arrived = way(clock, Weather(delay_s=(0.1, 0.2), lost=0.1, twice=0.1, swapped=0.1), datagrams=True)
    for number in range(1000):
        one.send(number.to_bytes(2, "big"))
        await clock.advance(0.05)
    await clock.advance(1)
    numbers = [int.from_bytes(data, "big") for _, data in arrived]
    assert 850 < len(set(numbers)) < 950
    assert 70 < len(numbers) - len(set(numbers)) < 130
    assert numbers != sorted(numbers)


def test_the_weathers_of_the_command_line_get_worse():
    calm, fair, foul = (WEATHERS[name] for name in ("calm", "fair", "foul"))
    assert calm is CALM and calm.flap_s > fair.flap_s > foul.flap_s and not fair.wire.any() and foul.wire.any()
