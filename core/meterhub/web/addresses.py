"""Who is at the other end: the true address and scheme, believing forwarded headers only from configured proxies."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

Networks = tuple[IPv4Network | IPv6Network, ...]


@lru_cache(maxsize=8)
def networks(proxies: tuple[str, ...]) -> Networks:
    """The configured addresses and networks; raises ``ValueError`` for one that is neither."""
    return tuple(ip_network(one, strict=False) for one in proxies)


def _inside(address: str, trusted: Networks) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in network for network in trusted)


def client_address(request: web.BaseRequest, proxies: tuple[str, ...]) -> str:
    """The address of the caller: the last one in ``X-Forwarded-For`` that is no proxy of ours."""
    peer = request.remote or ""
    if not proxies or not _inside(peer, networks(proxies)):
        return peer
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")[-10:]):
        hop = hop.strip()
        if not hop:
            continue
        if not _inside(hop, networks(proxies)):
            return hop if _is_address(hop) else peer
        peer = hop
    return peer


def is_https(request: web.BaseRequest, proxies: tuple[str, ...]) -> bool:
    """Whether the caller came over https, to us or to a trusted proxy."""
    if request.secure:
        return True
    if not proxies or not _inside(request.remote or "", networks(proxies)):
        return False
    return request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def is_loopback(request: web.BaseRequest, proxies: tuple[str, ...]) -> bool:
    """Whether the caller is on this machine."""
    try:
        return ip_address(client_address(request, proxies)).is_loopback
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
