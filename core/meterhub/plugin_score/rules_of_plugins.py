"""Rules on what a plugin registers: it loads, its profiles are right and speak three languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meterhub.actions import Action
from meterhub.collections import Collection
from meterhub.devices.vectors import vector_mistakes
from meterhub.field.link import LinkType
from meterhub.field.protocol import Protocol, ProtocolType
from meterhub.messages.notifier import Notifier
from meterhub.money.provider import PaymentType
from meterhub.plugin_score.loaded import Loaded
from meterhub.plugin_score.rules import Rule
from meterhub.plugins import API_VERSION

TYPES: Mapping[str, Any] = {
    "register_protocols": ProtocolType,
    "register_links": LinkType,
    "register_notifiers": Notifier,
    "register_payments": PaymentType,
    "register_profiles": (Path, Mapping),
    "register_actions": Action,
    "register_collections": Collection,
}
LANGUAGES = {"en", "zh", "ja"}


def loads(loaded: Loaded) -> list[str] | None:
    """A hub could load it: it imports, its hooks exist, its requirements are met, none of them raises."""
    plugin = loaded.plugin
    if plugin is None:
        return None
    return [] if loaded.running else [f"{plugin.where or plugin.origin}: {plugin.reason}"]


def brings(loaded: Loaded) -> list[str] | None:
    """It registers something, of the types that the hooks ask for."""
    if loaded.plugin is None or not loaded.running:
        return None
    wrong = [
        f"{hook} brings {type(one).__name__}"
        for hook, several in loaded.brought.items()
        for one in several
        if not isinstance(one, TYPES.get(hook, object))
    ]
    return wrong if any(loaded.brought.values()) else ["none of its hooks brings anything"]


def says_api(loaded: Loaded) -> list[str] | None:
    """It says for which plugin API it was written."""
    if loaded.plugin is None or loaded.plugin.module is None:
        return None
    said = hasattr(loaded.plugin.module, "requires_api")
    return [] if said else [f"write requires_api = {API_VERSION}, so that a later MeterHub can refuse it in words"]


def profiles_load(loaded: Loaded) -> list[str] | None:
    """Its profiles are right."""
    return [str(one) for one in loaded.mistakes] if loaded.profiles or loaded.mistakes else None


def vectors_decode(loaded: Loaded) -> list[str] | None:
    """Every vector of its profiles means what it says."""
    if not any(profile.vectors for profile in loaded.profiles):
        return None
    protocols = loaded.registry.protocols
    return [str(one) for profile in loaded.profiles for one in vector_mistakes(profile, protocols[profile.protocol][1])]


def has_vectors(loaded: Loaded) -> list[str] | None:
    """Every profile of its own has a vector."""
    if not loaded.profiles:
        return None
    return [f"{one.origin}: {one.id} has no vectors" for one in loaded.profiles if not one.vectors]


def names(loaded: Loaded) -> list[str] | None:
    """What people read is there in English, Chinese and Japanese."""
    texts = [(f"action {one.name}", one.title) for one in loaded.brought.get("register_actions", ())]
    for profile in loaded.profiles:
        texts.append((f"{profile.origin}: {profile.id}", profile.name))
        for entity in profile.entities:
            texts.append((f"{profile.origin}: {entity.key}", entity.name))
            texts += [(f"{profile.origin}: {entity.key} {word}", one) for word, one in entity.options.items()]
    if not texts:
        return None
    return [
        f"{where} has no name in {', '.join(sorted(LANGUAGES - set(text)))}"
        for where, text in texts
        if LANGUAGES - set(text)
    ]


def twin(loaded: Loaded) -> list[str] | None:
    """Its protocols and links can be simulated."""
    found = []
    protocols, links = loaded.brought.get("register_protocols", ()), loaded.brought.get("register_links", ())
    if not protocols and not links:
        return None
    for kind in protocols:
        opened = loaded.registry.protocols.get(kind.name)
        if opened is not None and type(opened[1]).simulate is Protocol.simulate:
            found.append(f"the protocol {kind.name} has no simulated meter")
    found += [f"the link {kind.name} has no simulated far end" for kind in links if kind.simulate is None]
    return found


PLUGIN_RULES = (
    Rule("loads", True, "it loads, and its hooks are known", loads),
    Rule("brings", True, "it brings objects of the right types", brings),
    Rule("requires_api", False, "it says which plugin API it needs", says_api),
    Rule("profiles", True, "its profiles are right", profiles_load),
    Rule("vectors", True, "its vectors mean what they say", vectors_decode),
    Rule("has_vectors", False, "every profile has a vector", has_vectors),
    Rule("names", False, "names are there in en, zh and ja", names),
    Rule("twin", False, "it can be simulated", twin),
)
