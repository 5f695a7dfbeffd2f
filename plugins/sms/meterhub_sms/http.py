"""Asks a company for messages: one POST, an answer of JSON, and what it means when there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from meterhub.errors import ProviderRefused, ProviderUnknown
from meterhub.outgoing import body_of

LARGEST_ANSWER = 1 << 20


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


def receipts_of(body: bytes) -> list[dict[str, Any]]:
    """The objects of a pushed list; raises ``ValueError`` for anything else."""
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, list) or len(found) > 1000 or not all(isinstance(one, dict) for one in found):
        raise ValueError("no list of objects")
    return found
