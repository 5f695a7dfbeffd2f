"""Accounts on the prepaid meters of the demo, so that a newcomer can pay with a played payment company at once."""

from __future__ import annotations

from meterhub.actions import System
from meterhub.cause import Cause
from meterhub.demo.site import PREPAID_PROFILE
from meterhub.hub import Hub

MOST = 12
LIVED_HERE_MS = 400 * 86_400_000
"""How long ago the tenants of the demo moved in."""
FIRST_NUMBER = 10
"""Telephone numbers that end in 0001 or 0002 are refused by the played company for messages."""
SERVER_BLOCK = "c-"
"""Meters of this block keep their credit on the server; those of the others in their own purse."""


async def open_accounts(hub: Hub) -> list[str]:
    """Open an account on each prepaid meter that has none; one that does not answer has to wait for the next start.

    Returns the paths of two tenants' pages: one with its credit in the meter, one with it on the server.
    """
    meters = [one for one in hub.estate.values() if one.profile.id == PREPAID_PROFILE][:MOST]
    links: dict[str, str] = {}
    for number, device in enumerate(meters):
        known = await hub.money.all("money.account_of_meter", name=device.id)
        if not known:
            await _open(hub, device.id, f"1380000{number + FIRST_NUMBER:04d}")
            known = await hub.money.all("money.account_of_meter", name=device.id)
        for account in known:
            links.setdefault(account["mode"], f"/pay/{account['link']}")
    return list(links.values())


async def _open(hub: Hub, meter: str, phone: str) -> None:
    mode = "server" if meter.startswith(SERVER_BLOCK) else "meter"
    params = {"mode": mode, "holder": f"Tenant of {meter}", "phone": phone}
    run = await hub.actions.call(
        "money.open_account", meter, params, actor=System("system:demo"), cause=Cause("start", "demo")
    )
    if run.done is not None:
        await run.done
    # Its readings of the past are those of this tenant, so that the page of use has something to show.
    since = {"opened_ms": hub.clock.now() - LIVED_HERE_MS}
    await hub.store.transact(lambda tx: tx.update("money_accounts", {"meter": meter}, since))
