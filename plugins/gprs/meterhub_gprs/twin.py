"""The far end: terminals that do what the preset says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from meterhub.field.link import CollectorConfig
from meterhub.sim.caller import Manners, Twin, manners_of
from meterhub_gprs import ddp
from meterhub_gprs.link import identity_of, ports_of, registrations
from meterhub_gprs.presets import PRESETS
from meterhub_gprs.prot import Prot, escaped


def manners(config: Mapping[str, Any], collector: CollectorConfig) -> Manners:
    """How a terminal with this preset behaves."""
    preset = PRESETS[config["preset"]]
    usual = manners_of(config, collector)
    every_s = config.get("heartbeat", {}).get("every")
    if preset.framing == "ddp":
        return _ddp(identity_of(collector), every_s)
    if preset.framing == "prot":
        packet = b"\x00\x00\x00\x01" + identity_of(collector).ljust(11, b"\0") + b"\0" + bytes((10, 0, 0, 1, 0))
        stream = Prot()
        return Manners(packet, b"\xfe", every_s, escaped, lambda data: stream.strip(data)[0])
    if preset.identity == "likong":
        packet = b"\xaa\x01" + identity_of(collector).ljust(11, b"\0") + b"\r"
        return replace(usual, registration=packet, heartbeat=usual.heartbeat or packet)
    known = registrations(collector, preset.identity)
    registration = known[0] if known else usual.registration
    heartbeat = (
        (*preset.heartbeats, registration)[0] if "packet" not in config.get("heartbeat", {}) else usual.heartbeat
    )
    return replace(usual, registration=registration, heartbeat=heartbeat)


def _ddp(identity: bytes, every_s: float | None) -> Manners:
    """A repeated registration is the heartbeat."""
    head = bytes([ddp.MARK, ddp.REGISTER]) + (22).to_bytes(2, "big") + identity.ljust(11, b"\0")
    register = head + bytes((10, 0, 0, 7, 0x13, 0x89, ddp.MARK))

    def undress(data: bytes) -> bytes:
        found = ddp.split(data)
        return found[2] if found is not None and found[0] == ddp.DATA_DOWN else b""

    return Manners(register, register, every_s, lambda data: ddp.packet(ddp.DATA_UP, identity, data), undress)


async def simulate(
    config: Mapping[str, Any], collectors: Sequence[CollectorConfig], wires: Mapping[str, Any], world: Any
) -> None:
    """Run a twin of every collector until cancelled."""
    preset = PRESETS[config["preset"]]
    config = {"transport": preset.transport} | dict(config)
    ports = [port for one in collectors for port in ports_of(one, preset.identity)]
    twins = [Twin(config, one, wires.get(one.id), world, manners(config, one)) for one in ports]
    await asyncio.gather(*(twin.run() for twin in twins))
