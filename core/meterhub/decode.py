"""``meterhub decode``: explain frames in hex, one JSON object per frame, never a traceback."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from meterhub.errors import BadFrame, NotFound
from meterhub.plugins import Plugins

Decoder = Callable[[bytes], dict[str, Any]]


def find_decoder(plugins: Plugins, protocol: str) -> Decoder:
    """The decoder that an installed plugin registers for ``protocol``; raises ``NotFound`` naming those there are."""
    plugins.find()
    plugins.set_up({plugin.name: (None, "") for plugin in plugins})
    brought = [one for _, one in plugins.call("register_protocols")]
    known: dict[str, Decoder] = {one.name: one.decode for one in brought if one.decode is not None}
    if protocol not in known:
        raise NotFound(f"there is no protocol {protocol}", hint="known: " + ", ".join(sorted(known)))
    return known[protocol]


def explain(decoder: Decoder, text: str) -> dict[str, Any]:
    """One frame in hex (blanks, colons and ``0x`` allowed) to its JSON object with ``ok`` and ``hex``."""
    digits = text.replace("0x", "").translate({ord(one): None for one in " \t\r\n:,-"}).upper()
    answer: dict[str, Any] = {"ok": False, "hex": digits}
    if not digits:
        return answer | {"error": "there is no frame on this line"}
    if len(digits) % 2 or set(digits) - set(string.hexdigits):
        return answer | {"error": "this is not an even number of hex digits"}
    try:
        return {"ok": True, "hex": digits} | decoder(bytes.fromhex(digits))
    except BadFrame as error:
        return answer | {"error": error.message, **error.known}
    except Exception as error:  # noqa: BLE001 - the boundary to a plugin's decoder
        return answer | {"error": f"the decoder failed: {type(error).__name__}: {error}"}


def explain_all(decoder: Decoder, lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """Each line, an empty one too, as (decoded, JSON text), in order: answers can be laid beside the lines."""
    for line in lines:
        answer = explain(decoder, line)
        yield bool(answer["ok"]), json.dumps(answer, ensure_ascii=False)
