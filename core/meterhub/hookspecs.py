"""The hooks that a plugin may implement. All are synchronous, called once at start, and return typed objects.

A hook may take ``ctx`` (the plugin's ``meterhub.plugins.Context``) and ``config`` (its checked section of
``plugins:``), or only one of them, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from meterhub.actions import Action
from meterhub.collections import Collection
from meterhub.field.envelope import EnvelopeType
from meterhub.field.link import LinkType
from meterhub.field.protocol import ProtocolType
from meterhub.messages.notifier import Notifier
from meterhub.money.provider import PaymentType

if TYPE_CHECKING:
    from meterhub.plugins import Context

hookspec = pluggy.HookspecMarker("meterhub")


@hookspec
def plugin_schema() -> Mapping[Any, Any]:
    """The voluptuous mapping of the plugin's own section under ``plugins:`` in the site file.

    Called before every other hook; without it the section must be empty.
    """
    return {}


@hookspec
def register_protocols(ctx: Context, config: Mapping[str, Any]) -> Iterable[ProtocolType]:
    """Meter protocols: codec, dialogues, simulated meter."""
    return ()


@hookspec
def register_links(ctx: Context, config: Mapping[str, Any]) -> Iterable[LinkType]:
    """Kinds of links: byte pipes and listeners."""
    return ()


@hookspec
def register_notifiers(ctx: Context, config: Mapping[str, Any]) -> Iterable[Notifier]:
    """Companies that carry messages to people, each with its account, in the order in which they are tried."""
    return ()


@hookspec
def register_payments(ctx: Context, config: Mapping[str, Any]) -> Iterable[PaymentType]:
    """Payment companies: accounts that take money, give it back and say what they know."""
    return ()


@hookspec
def register_envelopes(ctx: Context, config: Mapping[str, Any]) -> Iterable[EnvelopeType]:
    """Kinds of envelopes: what a radio network wants around each frame."""
    return ()


@hookspec
def register_profiles(ctx: Context, config: Mapping[str, Any]) -> Iterable[Path | Mapping[str, Any]]:
    """Meter models: YAML files of profiles that the plugin ships, or the same content as a mapping."""
    return ()


@hookspec
def register_actions(ctx: Context, config: Mapping[str, Any]) -> Iterable[Action]:
    """Actions that people, scripts and schedules can call."""
    return ()


@hookspec
def register_collections(ctx: Context, config: Mapping[str, Any]) -> Iterable[Collection]:
    """Collections: records that people manage; list, form, import, export and API are derived from them."""
    return ()
