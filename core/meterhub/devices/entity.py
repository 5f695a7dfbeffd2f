"""Entity: one thing of a device that can be seen or set.

An ``EntityDef`` describes it richly enough that pages, forms, the REST API and
exports are derived from it; plugin authors write no HTML. One definition is
shared by all devices of a profile; an ``Entity`` is the definition at one device, with its latest ``State``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meterhub.devices.device import Device

Value = int | bool | str | None
"""A value in storage form: scaled integer, boolean, text; None is unknown, never 0."""

Text = Mapping[str, str]
"""A text that a plugin brings, by language: ``{"en": …, "zh": …, "ja": …}``."""


class Role(StrEnum):
    """What an entity is for; pages group by it."""

    READING = "reading"
    CONTROL = "control"
    SETTING = "setting"
    DIAGNOSTIC = "diagnostic"
    MONEY = "money"


class Quality(StrEnum):
    """How far a value can be trusted."""

    GOOD = "good"
    STALE = "stale"
    INVALID = "invalid"
    ESTIMATED = "estimated"
    MANUAL = "manual"


QUALITIES: tuple[Quality, ...] = tuple(Quality)
"""Order of storage: the index is the small integer kept in ``readings.db``. Append only."""


@dataclass(frozen=True, slots=True)
class EntityDef:
    """What a plugin or profile says of one entity.

    ``kind`` names how a value is checked, shown and entered (``number``, ``switch``, ``text``, ``clock``, ``money`` …;
    unknown kinds are shown as text). ``scale`` is the number of decimals of the stored integer. ``meaning`` is the
    physical quantity (``energy``, ``power``, ``voltage``, ``volume``, ``balance`` …). ``refresh_s`` is how often it is
    worth reading (0: with every sweep). ``accumulate``: the register only grows. ``write`` names the action that sets
    it. ``record``: keep its history.
    """

    key: str
    name: Text
    kind: str = "number"
    unit: str = ""
    scale: int = 0
    meaning: str = ""
    role: Role = Role.READING
    group: str = ""
    refresh_s: int = 0
    accumulate: bool = False
    options: Mapping[str, Text] = field(default_factory=dict)
    minimum: int | None = None
    maximum: int | None = None
    step: int | None = None
    write: str = ""
    permission: str = ""
    confirm: Text | None = None
    hidden: bool = False
    secret: bool = False
    record: bool = True

    def shown(self, value: Value) -> bool | str | None:
        """The value as outsiders get it: decimal string, boolean, text or None."""
        if value is None or isinstance(value, bool | str):
            return value
        if self.scale == 0:
            return str(value)
        return str(Decimal(value).scaleb(-self.scale))

    def stored(self, shown: str | bool | None) -> Value:
        """The inverse of ``shown`` for this kind; raises ``ValueError`` for a number with too many decimals."""
        if shown is None or isinstance(shown, bool) or self.kind not in ("number", "money"):
            return shown
        scaled = Decimal(shown).scaleb(self.scale)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{shown} has more than {self.scale} decimals")
        return int(scaled)


class State:
    """A typed value with its quality, its two times and what caused it. Immutable by convention.

    ``measured_ms`` is when the meter had the value, ``received_ms`` when we got it (UTC epoch ms).
    """

    __slots__ = ("cause", "measured_ms", "quality", "received_ms", "value")

    def __init__(self, value: Value, quality: Quality, measured_ms: int, received_ms: int, cause: Any = None) -> None:
        self.value = value
        self.quality = quality
        self.measured_ms = measured_ms
        self.received_ms = received_ms
        self.cause = cause


class Entity:
    """A definition at one device; ``state`` is the latest, None before the first.

    ``series`` is the number under which its history is stored (0: not yet known to the store).
    """

    __slots__ = ("definition", "device", "series", "state")

    def __init__(self, device: Device, definition: EntityDef) -> None:
        self.device = device
        self.definition = definition
        self.series = 0
        self.state: State | None = None

    @property
    def id(self) -> str:
        """Stable readable id, such as ``a-101.energy_total``."""
        return f"{self.device.id}.{self.definition.key}"

    @property
    def value(self) -> Value:
        """The latest value in storage form, None when unknown."""
        return self.state.value if self.state is not None else None

    @property
    def shown(self) -> bool | str | None:
        """The latest value as outsiders get it."""
        return self.definition.shown(self.value)
