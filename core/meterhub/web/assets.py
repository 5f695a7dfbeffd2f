"""Addresses of static files that change with their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

STATIC_DIR = Path(__file__).parent / "static"


@cache
def asset(path: str) -> str:
    """``/static/app.css?v=1a2b3c4d`` for ``app.css``; without the mark when the file is missing."""
    file = STATIC_DIR / path
    if not file.is_file():
        return f"/static/{path}"
    return f"/static/{path}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:10]}"


@cache
def icon_names() -> frozenset[str]:
    """The icons of the sprite."""
    return frozenset(re.findall(r'<symbol id="([^"]+)"', (STATIC_DIR / "icons.svg").read_text(encoding="utf-8")))


@cache
def icon(name: str, classes: str = "") -> str:
    """An icon of the sprite as markup; an unknown name gives the plain list icon."""
    known = name if name in icon_names() else "list"
    return f'<svg class="icon {classes}" aria-hidden="true"><use href="{asset("icons.svg")}#{known}"/></svg>'
