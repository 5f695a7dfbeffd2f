"""Reads a profile from its YAML file (or the same content as a mapping) and has its protocol compile the points."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import voluptuous as vol

from meterhub.config.nodes import Map, Seq
from meterhub.config.schema import check
from meterhub.config.types import boolean, choice, identifier, localized, seconds, whole
from meterhub.devices.entity import EntityDef, Role
from meterhub.devices.profile import Profile
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.protocol import Protocol, ProtocolType

ENTITY = {
    vol.Required("name"): localized(),
    vol.Optional("kind", default="number"): str,
    vol.Optional("unit", default=""): str,
    vol.Optional("scale", default=0): whole(0, 9),
    vol.Optional("meaning", default=""): str,
    vol.Optional("role", default="reading"): choice(*map(str, Role)),
    vol.Optional("group", default=""): str,
    vol.Optional("refresh", default="0s"): seconds(whole=True),
    vol.Optional("accumulate", default=False): boolean(),
    vol.Optional("options", default=dict): {str: localized()},
    vol.Optional("minimum"): str,
    vol.Optional("maximum"): str,
    vol.Optional("step"): str,
    vol.Optional("write", default=""): str,
    vol.Optional("permission", default=""): str,
    vol.Optional("confirm"): localized(),
    vol.Optional("hidden", default=False): boolean(),
    vol.Optional("secret", default=False): boolean(),
    vol.Optional("record", default=True): boolean(),
    vol.Optional("point"): dict,
}

PROFILE = {
    vol.Required("id"): identifier(),
    vol.Optional("extends", default=""): str,
    vol.Optional("protocol", default=""): str,
    vol.Required("name"): localized(),
    vol.Optional("maker", default=""): str,
    vol.Optional("note", default=""): str,
    vol.Optional("options", default=dict): dict,
    vol.Optional("entities", default=dict): dict,
    vol.Optional("commands", default=dict): dict,
    vol.Optional("vectors", default=list): list,
}


class BaseMissing(ConfigError):
    """A profile extends one that is not known, or not known yet."""


def build_profile(
    content: Any,
    protocols: Mapping[str, tuple[ProtocolType, Protocol]],
    *,
    origin: str = "",
    known: Mapping[str, Profile] = MappingProxyType({}),
) -> Profile:
    """The profile of a file's content. ``protocols`` maps a name to its type and the opened protocol, ``known`` has
    the profiles that it may extend.

    Raises ``ConfigError`` or ``ConfigErrors`` with the place of each mistake, ``BaseMissing`` for an unknown base.
    """
    head = check(content, PROFILE, where=_where(content, None, origin))
    base = _base(head, content, known, origin)
    name = head["protocol"] or (base.protocol if base is not None else "")
    kind, protocol = _protocol(name, content, protocols, origin)
    if base is not None and base.protocol != name:
        raise ConfigError(f"{base.id} is of the protocol {base.protocol}", where=_where(content, "protocol", origin))
    sections = head["entities"]
    if base is None and not sections:
        raise ConfigError("a profile has entities, or extends another one", where=_where(content, None, origin))
    gone = {key for key, section in sections.items() if section is None and base is not None}
    own = {key: section for key, section in sections.items() if key not in gone}
    entities, points = _entities(own, sections, kind, protocol, origin)
    commands: dict[str, Mapping[str, Any]] = {key: {} for key in kind.commands}
    commands |= base.commands if base is not None else {}
    commands |= {
        name: check(spec or {}, kind.command_schema, where=_where(head["commands"], name, origin))
        for name, spec in head["commands"].items()
    }
    options = check(head["options"], kind.schema, where=_where(content, "options", origin))
    vectors = head["vectors"]
    if base is not None:
        entities, points, vectors = _over(base, entities, points, vectors, gone)
        vectors = head["vectors"] if options else vectors  # in other options the base's frames may mean something else
        options = {**base.options, **options}
    return Profile(
        head["id"],
        name,
        head["name"],
        entities,
        points,
        commands,
        options,
        vectors,
        head["maker"],
        head["note"],
        origin or _where(content, None, origin),
    )


def _base(head: Mapping[str, Any], content: Any, known: Mapping[str, Profile], origin: str) -> Profile | None:
    if not head["extends"]:
        return None
    if head["extends"] not in known:
        raise BaseMissing(f"there is no profile {head['extends']}", where=_where(content, "extends", origin))
    return known[head["extends"]]


def _protocol(
    name: str, content: Any, protocols: Mapping[str, tuple[ProtocolType, Protocol]], origin: str
) -> tuple[ProtocolType, Protocol]:
    if name not in protocols:
        raise ConfigError(
            f"there is no protocol {name}" if name else "a profile names its protocol",
            where=_where(content, "protocol", origin),
            hint="listed plugins bring: " + (", ".join(sorted(protocols)) or "none"),
        )
    return protocols[name]


def _over(
    base: Profile, entities: tuple[EntityDef, ...], points: Mapping[str, Any], vectors: list[Any], gone: set[str]
) -> tuple[tuple[EntityDef, ...], dict[str, Any], list[Any]]:
    """What the base has, with the profile's own in its place or behind it, without what the profile takes away."""
    own = {one.key: one for one in entities}
    kept = [own.pop(one.key, one) for one in base.entities if one.key not in gone]
    all_points = {key: point for key, point in base.points.items() if key not in gone} | dict(points)
    changed = gone | {one.key for one in entities}
    inherited = [one for one in base.vectors if one["entity"] not in changed]
    return (*kept, *own.values()), all_points, _joined(inherited, vectors)


def _joined(inherited: list[Any], own: list[Any]) -> list[Any]:
    """Vectors of the base and then the profile's own, which keep their lines; those of the base have none here."""
    if not isinstance(own, Seq):
        return [*inherited, *own]
    joined = Seq([*inherited, *own], own.source, own.line)
    joined.lines = [*[own.line] * len(inherited), *own.lines]
    return joined


def _entities(
    own: Mapping[str, Any], sections: Mapping[str, Any], kind: ProtocolType, protocol: Protocol, origin: str
) -> tuple[tuple[EntityDef, ...], dict[str, Any]]:
    """All entities and their compiled points; every mistake of the file at once."""
    entities: list[EntityDef] = []
    points: dict[str, Any] = {}
    mistakes: list[ConfigError] = []
    for key, section in own.items():
        try:
            definition, spec = _entity(key, section, _where(sections, key, origin))
            entities.append(definition)
            if spec is not None:
                points[key] = _point(definition, spec, kind, protocol, _where(section, "point", origin))
        except ConfigErrors as several:
            mistakes += several.errors
        except ConfigError as one:
            mistakes.append(one)
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else ConfigErrors(mistakes)
    return tuple(entities), points


def _point(definition: EntityDef, spec: Mapping[str, Any], kind: ProtocolType, protocol: Protocol, where: str) -> Any:
    """The compiled point of an entity; a mistake that the protocol finds gets the place, which only we know."""
    checked = check(spec, kind.point_schema, where=where)
    try:
        return protocol.point(definition.key, checked, definition.kind, definition.scale)
    except ConfigError as error:
        error.where = error.where or where
        raise


def _entity(key: str, section: Any, where: str) -> tuple[EntityDef, Mapping[str, Any] | None]:
    if not re.fullmatch(r"[a-z0-9_]+", key):
        raise ConfigError(f"the key {key} may have lower-case letters, digits and _ only", where=where)
    values = check(section, ENTITY, where=where)
    spec = values.pop("point", None)
    definition = EntityDef(
        key, role=Role(values.pop("role")), refresh_s=values.pop("refresh"), **_limits(values, where)
    )
    return definition, spec


def _limits(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Minimum, maximum and step are written in shown units and kept scaled."""
    form = EntityDef("limits", {}, values["kind"] if values["kind"] == "money" else "number", scale=values["scale"])
    for name in ("minimum", "maximum", "step"):
        if name in values:
            try:
                values[name] = form.stored(values[name])
            except (ValueError, ArithmeticError):
                raise ConfigError(f"{name}: {values[name]} does not fit {form.scale} decimals", where=where) from None
    return values


def _where(node: Any, key: str | None, origin: str) -> str:
    return (node.where(key) or origin) if isinstance(node, Map) else origin
