"""What the schedules of a site file ask of actions: name, kind of target and parameters, checked at start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from meterhub.actions import Action
from meterhub.config.base import near_miss
from meterhub.config.entries import ScheduleEntry
from meterhub.config.schema import check
from meterhub.errors import ConfigError, ConfigErrors


def with_actions(
    entries: Iterable[ScheduleEntry], actions: Iterable[Action], *, some_missing: bool = False
) -> tuple[list[ScheduleEntry], list[ConfigError]]:
    """The schedules with parameters as the action's schema wants them (``on: true`` is no text), and all mistakes.

    ``some_missing``: a plugin failed, so an action that is not there is no mistake of the file.
    """
    known = {one.name: one for one in actions}
    checked: list[ScheduleEntry] = []
    mistakes: list[ConfigError] = []
    for entry in entries:
        try:
            if entry.action not in known and some_missing:
                checked.append(entry)
            else:
                checked.append(_fitted(entry, known))
        except ConfigErrors as several:
            mistakes += several.errors
        except ConfigError as error:
            mistakes.append(error)
    return checked, mistakes


def _fitted(entry: ScheduleEntry, known: dict[str, Action]) -> ScheduleEntry:
    """Raises ``ConfigError`` or ``ConfigErrors`` for an entry that could never be carried out."""
    path = f"schedules[{entry.id}]"
    action = known.get(entry.action)
    if action is None:
        hint = near_miss(entry.action, known) or "there are: " + ", ".join(sorted(known))
        raise ConfigError(f"{path}: there is no action {entry.action}", where=entry.where, hint=hint)
    aimed = "collector" if entry.target.get("all") == "collectors" else "meter"
    if action.target != aimed:
        hint = f"it acts on a {action.target}" if action.target else "it acts on nothing"
        raise ConfigError(f"{path}: {entry.action} cannot act on a {aimed}", where=entry.where, hint=hint)
    return replace(entry, params=check(entry.params, action.schema, where=entry.where, path=f"{path}.params"))
