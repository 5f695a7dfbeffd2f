"""Meters in a radio or power-line mesh behind a concentrator: routed addressing, network map, late answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meterhub import hookimpl, texts
from meterhub.field.envelope import EnvelopeType
from meterhub.field.link import LinkType
from meterhub_mesh import prefix, routed
from meterhub_mesh.link import COLLECTOR_SCHEMA, LINK_SCHEMA, MeshLink
from meterhub_mesh.twin import simulate

requires_api = 1


def open_link(ctx: Any, config: Mapping[str, Any]) -> MeshLink:
    """Make the link; it listens and calls once it is opened."""
    return MeshLink(ctx.clock, config)


@hookimpl
def register_links() -> Iterable[LinkType]:
    """The link type ``mesh``."""
    texts.add(Path(__file__).parent / "locale", "meterhub_mesh")
    return [
        LinkType(
            "mesh",
            schema=LINK_SCHEMA,
            open=open_link,
            collector_schema=COLLECTOR_SCHEMA,
            dial_in=True,
            envelope="mesh",
            simulate=simulate,
            description="Micro-power wireless or power-line networks behind a concentrator (Q/GDW 1376.2).",
        )
    ]


@hookimpl
def register_envelopes() -> Iterable[EnvelopeType]:
    """``mesh``, routed by a module, and ``mesh_prefix`` for simple radios."""
    return [
        EnvelopeType(
            "mesh",
            routed.SCHEMA,
            lambda ctx, options: routed.Routed(options),
            "A frame for one node, through the module of a concentrator (Q/GDW 1376.2).",
        ),
        EnvelopeType(
            "mesh_prefix",
            prefix.SCHEMA,
            lambda ctx, options: prefix.Prefix(options),
            "A node's address or wake-up bytes in front of each frame.",
        ),
    ]
