"""The shipped profiles, compiled, meters of them, and what can be done to those."""

from __future__ import annotations

from functools import lru_cache

import meterhub_dlt645
from meterhub.config.loader import load
from meterhub.devices.profile import Profile
from meterhub.devices.profile_file import build_profile
from meterhub.testing.clock import MovableClock
from meterhub.testing.conformance_protocol import SampleMeter, talk
from meterhub_dlt645 import decode_frame
from meterhub_dlt645.protocol import Dlt645

FILES = {path.stem: path for path in meterhub_dlt645.register_profiles()}
CLOCK = MovableClock()
KINDS = {kind.name: (kind, Dlt645(kind.name[-4:], CLOCK)) for kind in meterhub_dlt645.register_protocols()}


class World:
    """A world for twins whose time a test sets: ``now`` in UTC milliseconds."""

    def __init__(self, now: int = 1_767_225_600_000) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now

    def random(self, name):
        from meterhub.clock import seeded

        return seeded(name)

    def pass_hours(self, hours: int) -> None:
        self.now += hours * 3_600_000


@lru_cache
def profile(name: str) -> Profile:
    content = load(FILES[name])
    base = content.get("extends")
    return build_profile(content, KINDS, known={base: profile(base)} if base else {})


def edition(name: str) -> str:
    """The edition of a shipped profile."""
    return profile(name).protocol[-4:]


def protocol(edition: str = "2007") -> Dlt645:
    return Dlt645(edition, CLOCK)


def meter(name: str = "dlt645-2007-single-phase", address: str = "000000000161", **options) -> SampleMeter:
    model = profile(name)
    return SampleMeter(f"m-{address}", address, dict(model.options) | options, model.points, model.commands)


ADDRESS = "000000000161"
MODELS = {"2007": "dlt645-2007-three-phase", "1997": "dlt645-1997-single-phase"}


def house(edition="2007", *, commands=None, **options):
    """A meter, its twin and the world they live in; the twin's clock agrees with the dialogues' clock."""
    model = meter(MODELS[edition], **options)
    one = SampleMeter(model.id, ADDRESS, model.options, model.points, dict(model.commands) | (commands or {}))
    world = World(CLOCK.now())
    return one, protocol(edition).simulate(one, world), world


def act(one, twin, name, **params):
    edition = twin.edition
    exchanges, reply = talk(protocol(edition), protocol(edition).command(one, name, params), twin)
    controls = [f"{decode_frame(exchange.request).control:02X}" for exchange in exchanges]
    return controls, reply


def shown(one, twin, register):
    return [value["value"] for value in act(one, twin, "meter.read_register", register=register)[1].detail["values"]]
