"""Protocol: what a meter plugin gives. Codec, dialogues and simulated meter; no I/O, no link, no clock of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as StructuralType

from meterhub.errors import BadInput
from meterhub.field.codec import Codec
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.search import Search


class Meter(StructuralType):
    """What a dialogue may know of the meter it talks to."""

    @property
    def id(self) -> str:
        """Device id, such as ``a-101``."""

    @property
    def address(self) -> str:
        """Address as text, as in the configuration."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of the protocol's schema: the meter's own over the profile's over the defaults."""

    @property
    def points(self) -> Mapping[str, Any]:
        """Compiled points of the profile by entity key."""

    @property
    def commands(self) -> Mapping[str, Mapping[str, Any]]:
        """What the profile says of each action that this model knows, by action name."""


class SimulatedMeter(ABC):
    """A meter twin on a simulated wire; built on the protocol's own codec."""

    turnaround_s: float = 0.06
    """Seconds between the end of a request and the start of the answer."""
    only_at: int = 0
    """The only speed of the wire at which it answers, in baud; 0: any."""

    @abstractmethod
    def answer(self, frame: Any) -> bytes | None:
        """The answer to a frame heard on the wire; None when it is for somebody else or gets no answer."""


class Protocol(ABC):
    """One meter protocol."""

    @abstractmethod
    def codec(self) -> Codec:
        """A fresh codec for one stream."""

    @abstractmethod
    def point(self, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Any:
        """Compile what a profile says under ``point:`` of the entity ``key`` (already checked by ``point_schema``).

        ``kind`` and ``scale`` are those of the entity; values must come in that scale. Raises ``ConfigError``.
        """

    @abstractmethod
    def read(self, meter: Meter, points: Sequence[Any]) -> Dialogue[PollReport]:
        """Read the given compiled points with as few exchanges as the meter allows."""

    def command(self, meter: Meter, name: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
        """Carry out the action ``name`` (such as ``meter.open_circuit``) and read back what it changed.

        Raises ``Refused`` when the meter says no or the read-back differs.
        """
        raise BadInput(f"this protocol has no action {name}", where=meter.id)

    def heard(self, meter: Meter, frame: Any) -> PollReport | None:
        """What a frame that nobody asked for says of ``meter``: the places in ``meter.points`` that it updates.

        None when the frame is not from this meter.
        """
        return None

    def probe(self) -> Dialogue[Sequence[Mapping[str, Any]]] | None:
        """Find an unknown meter on a line: a dialogue that ends in what was found, or None if this cannot be done.

        Each finding has ``address``, ``edition`` and ``profile``, the model to configure.
        """
        return None

    def search(self) -> Search | None:
        """A new search for all unknown meters of a line, where that takes more than a few questions, or None."""
        return None

    def learned(self) -> Mapping[str, str]:
        """What it found out about its meters that no profile says, as a text by meter id; kept over restarts."""
        return {}

    def recall(self, meter: Meter, text: str) -> None:
        """What was learned of this meter before the hub was started again."""
        return

    def forget(self, meter_id: str) -> None:
        """The meter is gone, or has become another."""
        return

    def address(self, text: str) -> str:
        """The canonical form of an address given in the configuration; raises ``ConfigError`` for a wrong one."""
        return text

    def is_same(self, address: str, found: str) -> bool:
        """Whether a meter configured under ``address`` is the one found under ``found``; both are canonical."""
        return address == found

    def values(self, frame: bytes, points: Mapping[str, Any]) -> Mapping[str, int | bool | str | None] | None:
        """What an answer's bytes say of compiled ``points``: those that it holds, by key; None where there is no value.

        With it ``meterhub check`` proves the ``vectors:`` of profiles. Raises ``BadFrame``. A protocol that does not
        offer this returns None.
        """
        return None

    def values_of_model(
        self, frame: bytes, points: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Mapping[str, int | bool | str | None] | None:
        """``values`` at a model with ``options``; to be overridden where options change what bytes mean."""
        return self.values(frame, points)

    def secrets(self, data: bytes) -> Collection[int]:
        """The positions in ``data`` of bytes that nobody may see, such as passwords: pages show ``**`` for them.

        ``data`` is what was sent or received at once: one frame, several, or a part of one. Never raises.
        """
        return ()

    def simulate(self, meter: Meter, world: Any) -> SimulatedMeter | None:
        """The twin of ``meter`` in ``world`` (a ``meterhub.sim.world.World``), or None if there is none."""
        return None


@dataclass(frozen=True, slots=True)
class ProtocolType:
    """A meter protocol that a plugin registers; profiles name it under ``protocol:``.

    ``schema``: voluptuous mapping of the options that a profile or meter may give. ``point_schema``: what
    ``point:`` of an entity says. ``command_schema``: what a profile may say of an action it knows.
    """

    name: str
    open: Callable[[Any, Mapping[str, Any]], Protocol]
    schema: Mapping[Any, Any] = field(default_factory=dict)
    point_schema: Mapping[Any, Any] = field(default_factory=dict)
    command_schema: Mapping[Any, Any] = field(default_factory=dict)
    decode: Callable[[bytes], dict[str, Any]] | None = None
    """For ``meterhub decode NAME``: one frame to a JSON object; raises ``BadFrame``."""
    description: str = ""
    commands: tuple[str, ...] = ()
    """Actions that every meter of this protocol knows, without its profile listing them."""
