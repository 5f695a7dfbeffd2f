"""Asks a company for messages: one POST, an answer of JSON, and what it means when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from yarl import URL

from meterhub.errors import NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Receipt
from meterhub.outgoing import body_of

LARGEST_ANSWER = 1 << 20
MOST_RECEIPTS = 1000


async def ask(
    ctx: Any, url: str, body: bytes, headers: Mapping[str, str], where: str, method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object. Raises ``ProviderUnknown``.

    When no connection could be made, nothing was written: that is ``ProviderRefused``, so that another company may be
    tried.
    """
    try:
        async with ctx.http().request(
            method, URL(url, encoded=True), data=body or None, headers=headers, allow_redirects=False
        ) as response:
            raw = await body_of(response, LARGEST_ANSWER)
            status = response.status
    except aiohttp.ClientConnectorError as error:
        raise ProviderRefused(
            f"no way to the SMS company: {type(error).__name__}", reply="NO_WAY", where=where
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ProviderUnknown(f"no answer from the SMS company: {type(error).__name__}", where=where) from None
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ProviderUnknown(f"the SMS company answered HTTP {status} without JSON", where=where)
    return status, content


def receipts(body: bytes, read: Callable[[Mapping[str, Any]], Receipt]) -> list[Receipt]:
    """What ``read`` makes of the objects of a pushed list.

    One that it cannot read (``ValueError``, ``KeyError``) is left out and costs the others nothing. Raises
    ``NoticeRejected`` when there is no list, or nothing in it can be read.
    """
    try:
        pushed = json.loads(body)
    except (ValueError, RecursionError):
        pushed = None
    if not isinstance(pushed, list) or len(pushed) > MOST_RECEIPTS:
        raise NoticeRejected("this is no list of receipts", "form")
    found = []
    for one in pushed:
        with suppress(ValueError, KeyError):
            found.append(read(one if isinstance(one, dict) else {}))
    if pushed and not found:
        raise NoticeRejected("none of these receipts can be read", "form")
    return found
