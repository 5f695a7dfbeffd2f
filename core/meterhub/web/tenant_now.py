"""What a tenant's meter counts just now: the value with its source and its age, and what came of asking the meter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.devices.device import Status
from meterhub.store.engine import Row
from meterhub.texts import Texts, mark
from meterhub.web import values
from meterhub.web.pages import Site
from meterhub.web.tenant_use import main_register

ASKED: Mapping[str, tuple[str, str]] = {
    "read": ("ok", mark("The meter has answered.")),
    "waits": ("ok", mark("The meter has been asked. Its answer is here in a moment.")),
    "failed": ("bad", mark("The meter does not answer now. This is what it said last.")),
    "often": ("bad", mark("The meter was asked a moment ago. Try again in half a minute.")),
}
"""What came of asking the meter, by the word in the URL."""


def now_of(site: Site, account: Row, asked: str, texts: Texts) -> dict[str, Any] | None:
    """What the meter counts, with its source and age; None for a meter that counts nothing."""
    device = site.rooms.estate.get(account["meter"])
    entity = main_register(device) if device is not None else None
    if device is None or entity is None:
        return None
    state = entity.state
    shown = None if state is None else entity.shown
    tone, words = ASKED.get(asked, ("", ""))
    return {
        "name": texts.pick(entity.definition.name),
        "value": values.grouped(str(shown)) if shown is not None else "–",
        "unit": entity.definition.unit,
        "ms": state.measured_ms if state is not None else None,
        "silent": device.status not in (Status.ONLINE, Status.NEVER_SEEN),
        "tone": tone,
        "asked": texts(words) if words else "",
    }
