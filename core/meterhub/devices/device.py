"""Device: one owner, one parent, a profile, an address, and a status with detail and since-when."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from meterhub.devices.entity import Entity, EntityDef
from meterhub.devices.profile import Profile


class Status(StrEnum):
    """Why a device can or cannot be reached; never "unavailable" alone."""

    ONLINE = "online"
    NO_ANSWER = "no_answer"
    LINK_DOWN = "link_down"
    REFUSED = "refused"
    CONFIG_ERROR = "config_error"
    DISABLED = "disabled"
    NEVER_SEEN = "never_seen"


class Device:
    """A meter or collector (``kind``) as the hub knows it.

    ``owner`` is the plugin that speaks to it, ``parent`` the id of the line or link it hangs on, ``place`` the path
    in the place tree (("Block A", "1", "101")), ``origin`` where it was configured ("site.yaml:42", or "database").
    The three clocks: ``answered_ms`` is when this device itself last answered.
    """

    __slots__ = (
        "address",
        "answered_ms",
        "commands",
        "detail",
        "entities",
        "failures",
        "id",
        "kind",
        "name",
        "operator",
        "options",
        "origin",
        "owner",
        "parent",
        "place",
        "profile",
        "since_ms",
        "site",
        "status",
    )

    def __init__(
        self,
        id: str,
        kind: str,
        profile: Profile,
        *,
        owner: str = "core",
        parent: str = "",
        address: str = "",
        name: str = "",
        place: tuple[str, ...] = (),
        site: str = "main",
        operator: str = "main",
        options: Mapping[str, Any] | None = None,
        origin: str = "",
    ) -> None:
        self.id = id
        self.kind = kind
        self.profile = profile
        self.owner = owner
        self.parent = parent
        self.address = address
        self.name = name
        self.place = place
        self.site = site
        self.operator = operator
        self.options: Mapping[str, Any] = profile.options if options is None else options
        self.origin = origin
        self.commands = profile.commands
        self.status = Status.NEVER_SEEN
        self.detail = ""
        self.since_ms = 0
        self.answered_ms = 0
        self.failures = 0
        self.entities: tuple[Entity, ...] = tuple([Entity(self, definition) for definition in profile.entities])

    @property
    def points(self) -> Mapping[str, Any]:
        """Compiled points by entity key (see ``field.protocol.Meter``)."""
        return self.profile.points

    def entity(self, key: str) -> Entity | None:
        """The entity with this key, or None."""
        index = self.profile.index.get(key)
        return None if index is None else self.entities[index]

    def definition(self, key: str) -> EntityDef | None:
        """The definition with this key, or None."""
        entity = self.entity(key)
        return None if entity is None else entity.definition

    @property
    def scope(self) -> str:
        """Where permissions are looked up: ``operator/site/place…``, the path of the place tree."""
        return "/".join((self.operator, self.site, *self.place))
