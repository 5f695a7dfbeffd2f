"""Targets: which devices a schedule or a command for many is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from meterhub.devices.device import Device, Status
from meterhub.devices.states import Estate
from meterhub.field.collector import Collector


def select(estate: Estate, collectors: Iterable[Collector], target: Mapping[str, Any]) -> Sequence[Device]:
    """The devices that a ``target:`` names; its keys must all hold. Disabled ones are left out."""
    kind = "collector" if target.get("all") == "collectors" else "meter"
    above = {line.config.id: one.id for one in collectors for line in one.lines} if "collector" in target else {}
    return [one for one in estate.values() if one.kind == kind and _aimed_at(one, target, above)]


def _aimed_at(device: Device, target: Mapping[str, Any], above: Mapping[str, str]) -> bool:
    if device.status in (Status.DISABLED, Status.CONFIG_ERROR):
        return False
    facts: dict[str, Callable[[Any], bool]] = {
        "all": lambda _: True,
        "meters": lambda wanted: device.id in wanted,
        "line": lambda wanted: device.parent in _names(wanted),
        "collector": lambda wanted: above.get(device.parent, "") in _names(wanted),
        "profile": lambda wanted: device.profile.id in _names(wanted),
        "site": lambda wanted: device.site in _names(wanted),
        "place": lambda wanted: device.place[: len(wanted)] == tuple(wanted),
    }
    return all(facts[key](wanted) for key, wanted in target.items())


def _names(wanted: Any) -> Sequence[str]:
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)
