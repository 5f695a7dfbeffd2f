"""Accounts on the prepaid meters of the demo, so that a newcomer can pay with a played payment company at once."""

from __future__ import annotations

from meterhub.actions import System
from meterhub.cause import Cause
from meterhub.demo.site import PREPAID_PROFILE
from meterhub.hub import Hub

MOST = 12
SERVER_BLOCK = "c-"
"""Meters of this block keep their credit on the server; those of the others in their own purse."""


async def open_accounts(hub: Hub) -> None:
    """Open an account on each prepaid meter that has none; one that does not answer has to wait for the next start."""
    meters = [one for one in hub.estate.values() if one.profile.id == PREPAID_PROFILE][:MOST]
    for device in meters:
        if await hub.money.all("money.account_of_meter", name=device.id):
            continue
        mode = "server" if device.id.startswith(SERVER_BLOCK) else "meter"
        params = {"mode": mode, "holder": f"Tenant of {device.id}"}
        run = await hub.actions.call(
            "money.open_account", device.id, params, actor=System("system:demo"), cause=Cause("start", "demo")
        )
        if run.done is not None:
            await run.done
