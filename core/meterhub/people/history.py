"""The login history: one row per login, good or bad, with what is known of where it came from."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from meterhub.clock import Clock
from meterhub.people.user import MAIN
from meterhub.store.engine import Store
from meterhub.texts import mark

LOCAL = mark("local network")
"""The place of addresses that never leave the house; a msgid of the catalogues."""

BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("python", "Python"),
    ("curl", "curl"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request came from: the client's true address (the web part knows trusted proxies) and its user agent."""

    address: str = ""
    agent: str = ""


class LoginHistory:
    """Writes login rows."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def good(self, user: str, operator: str, method: str, visitor: Visitor) -> None:
        """Somebody logged in; ``method`` is password or link."""
        await self._write(user, operator, method, visitor, "ok", "")

    async def bad(self, user: str, operator: str, method: str, visitor: Visitor, why: str) -> None:
        """Somebody did not; ``why`` is a word: wrong_password, unknown_user, disabled, link_over."""
        await self._write(user, operator or MAIN, method, visitor, "failed", why)

    async def _write(self, user: str, operator: str, method: str, visitor: Visitor, outcome: str, why: str) -> None:
        row = {"user": user, "operator": operator, "at_ms": self._clock.now(), "outcome": outcome, "method": method}
        row |= {"address": clean_address(visitor.address), "agent": summary(visitor.agent), "detail": why}
        row |= {"place": place(visitor.address), "carrier": ""}
        await self._store.transact(lambda tx: tx.insert("login_history", row))


def clean_address(address: str) -> str:
    """The address in its usual form, "" for anything else."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def place(address: str) -> str:
    """``local network`` for private and loopback addresses, else "" (not known)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    return LOCAL if (mapped or parsed).is_private else ""


def summary(agent: str) -> str:
    """A user agent in two words, such as ``Firefox, Windows``; else its first 40 printable characters."""
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    if browser and system:
        return f"{browser}, {system}"
    return browser or system or "".join(one for one in agent[:40] if one.isprintable())
