"""Profile: the model of a meter as data. Entities, points, commands and options in one YAML file.

The core knows the entities; what stands under ``point:`` and ``commands:`` belongs to the protocol, which compiles it
once. Files come from plugins and from the deployer's ``profiles/`` folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meterhub.devices.entity import EntityDef, Text


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A meter model. ``points`` maps an entity key to what the protocol compiled from ``point:``.

    ``index`` maps an entity key to its place in ``entities``; ``origin`` is the file it came from.
    """

    id: str
    protocol: str
    name: Text
    entities: tuple[EntityDef, ...] = ()
    points: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    vectors: Sequence[Mapping[str, Any]] = ()
    maker: str = ""
    note: str = ""
    origin: str = ""
    index: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {one.key: place for place, one in enumerate(self.entities)})
