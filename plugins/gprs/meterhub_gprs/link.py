"""The gprs link: a ``CallLink`` whose collectors name themselves and frame their bytes as a preset says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, ConfigError
from meterhub.field.calls.framing import Framing
from meterhub.field.calls.link import CallLink
from meterhub.field.calls.registration import Greeter, Register, Shape
from meterhub.field.calls.settings import facts_of, settings_of
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import CollectorConfig, wire_key
from meterhub_gprs.ddp import Ddp, DdpGreeter
from meterhub_gprs.presets import PRESETS
from meterhub_gprs.prot import Prot
from meterhub_gprs.usr import UsrSieve

SHAPES = {"prot": (b"", 21, slice(4, 15)), "likong": (b"\xaa\x01", 14, slice(2, 13))}
"""Beginning, length, and where the phone number stands."""


class GprsLink(CallLink):
    """Presets are in ``presets``; what a collector itself says wins over them."""

    def __init__(self, clock: Clock, config: Mapping[str, Any]) -> None:
        self._preset = PRESETS[config["preset"]]
        settings = settings_of({"transport": self._preset.transport} | dict(config), self._preset.heartbeats)
        super().__init__(clock, settings, facts_of(config))

    def ports(self, collectors: Sequence[CollectorConfig]) -> Sequence[CollectorConfig]:
        """Each port of a terminal that has several calls by itself."""
        return [port for one in collectors for port in ports_of(one, self._preset.identity)]

    def pair(self, collector_id: str, registration: bytes) -> None:
        """As ``CallLink``; a terminal with several ports names each of them in the site file."""
        if wire_key(collector_id, 1) in self._collectors:
            raise BadInput("the channels of its lines say what each of its ports sends", where=collector_id)
        super().pair(collector_id, registration)

    def greeter(self, collectors: Sequence[CollectorConfig]) -> Greeter:
        """Raises ``ConfigError`` for identities that do not fit the preset, or that two collectors have."""
        form = self._preset.identity
        if form == "ddp" or form in SHAPES:
            ids = _unique((identity_of(one), one.id) for one in collectors)
            return DdpGreeter(ids) if form == "ddp" else Shape(*SHAPES[form], ids)
        return Register(
            _unique((packet, one.id) for one in collectors for packet in registrations(one, form)),
            {registration_of(one, form): one.id for one in collectors if one.options.get("secret")},
        )

    def framing(self, collector: CollectorConfig, packet: bytes) -> Framing:
        """What the preset says."""
        if self._preset.framing == "ddp":
            return Ddp(identity_of(collector))
        if self._preset.framing == "prot":
            return Prot()
        packets = (packet, *self.heartbeats) if packet else self.heartbeats
        if self._preset.speed:
            return UsrSieve(packets, 8, collector.options["parity"], 1)
        return Sieve(packets)


def ports_of(collector: CollectorConfig, form: str) -> Iterator[CollectorConfig]:
    """The collector itself, or what it would be if each of its ports were one: its channel is what a port sends."""
    if not collector.channels:
        yield collector
    for number, packet in enumerate(collector.channels):
        named = {"registration": packet}
        if form == "ddp" or form in SHAPES:
            named = {"identity": packet.decode("ascii", "replace")}
        yield CollectorConfig(wire_key(collector.id, number), {**collector.options, "pairing": False, **named})


def identity_of(collector: CollectorConfig) -> bytes:
    """The phone number in the packets of DDP, PROT and Likong; at most 11 characters."""
    if collector.options.get("secret"):
        raise ConfigError("terminals of this preset cannot send a secret", where=collector.id, hint="take secret: out")
    identity = str(collector.options.get("identity") or collector.id)
    if not identity.isascii() or len(identity) > 11:
        raise ConfigError(f"the identity {identity} is not of at most 11 characters", where=collector.id)
    return identity.encode()


def registration_of(collector: CollectorConfig, form: str) -> bytes:
    """The packet that it sends, in the first of the forms it may have, without its secret."""
    given = collector.options.get("registration")
    identity = str(collector.options.get("identity") or "")
    if given is not None:
        return bytes(given)
    if not identity:
        return collector.id.encode()
    try:
        return bytes.fromhex(identity.replace(":", "").replace("-", "")) if form == "hex" else identity.encode("ascii")
    except ValueError:
        raise ConfigError(f"the identity {identity} cannot be sent as {form}", where=collector.id) from None


def registrations(collector: CollectorConfig, form: str) -> list[bytes]:
    """All packets by which it is known; none for one that waits to be paired."""
    options = collector.options
    if options.get("pairing") and "registration" not in options:
        return []
    secret: bytes = options.get("secret", "").encode()  # its plain value
    first = registration_of(collector, form)
    found = [first + secret]
    if form == "imei" and len(first) == 15 and first.isdigit():
        found.append(bytes.fromhex("0" + first.decode()) + secret)
    return found


def _unique(pairs: Any) -> dict[bytes, str]:
    packets: dict[bytes, str] = {}
    for packet, collector_id in pairs:
        if packet in packets and packets[packet] != collector_id:
            raise ConfigError(
                f"the collectors {packets[packet]} and {collector_id} have the same registration",
                where=collector_id,
                hint="give each collector a registration of its own",
            )
        packets[packet] = collector_id
    return packets
