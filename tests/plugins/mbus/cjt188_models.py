"""The shipped CJ/T 188 profiles, compiled, and meters of them."""

from __future__ import annotations

from functools import lru_cache

import meterhub_mbus
from meterhub.clock import seeded
from meterhub.config.loader import load
from meterhub.devices.profile import Profile
from meterhub.devices.profile_file import build_profile
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.testing.clock import MovableClock
from meterhub.testing.conformance_protocol import SampleMeter, talk
from meterhub_mbus.cjt188.protocol import PROTOCOLS, Cjt188

FILES = {path.stem: path for path in meterhub_mbus.register_profiles() if path.stem.startswith("cjt188")}
CLOCK = MovableClock()
ADDRESS = "00112233445566"


class World:
    """A world for twins whose time a test sets: ``now`` in UTC milliseconds."""

    def __init__(self, now: int = 1_767_225_600_000) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now

    def random(self, name):
        return seeded(name)

    def pass_s(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


@lru_cache
def profile(name: str) -> Profile:
    content = load(FILES[name])
    base = content.get("extends")
    kinds = {"cjt188": (PROTOCOLS[0], Cjt188(CLOCK))}
    return build_profile(content, kinds, known={base: profile(base)} if base else {})


def meter(name: str = "cjt188-water-valve", address: str = ADDRESS, commands=None, **options) -> SampleMeter:
    model = profile(name)
    known = {**model.commands, **(commands or {})}
    return SampleMeter(f"m-{address}", address, dict(model.options) | options, model.points, known)


def carry_out(speaker, dialogue: Dialogue[CommandReply], twin, world: World) -> tuple[list, CommandReply]:
    """Run a command with a twin, and what follows it, each after its time; all exchanges and the last reply."""
    exchanges, reply = talk(speaker, dialogue, twin)
    while reply.follow is not None:
        world.pass_s(reply.after_s)
        more, reply = talk(speaker, reply.follow(), twin)
        exchanges += more
    return exchanges, reply
