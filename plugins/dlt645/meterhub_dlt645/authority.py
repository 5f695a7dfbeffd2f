"""Who commands: level, password and operator code as the programming commands carry them; sending a command once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.errors import BadInput, NoAnswer
from meterhub.field.dialogue import Ask, Dialogue
from meterhub.texts import mark
from meterhub_dlt645.exchange import Talk
from meterhub_dlt645.frame import PLUS_33

DEFAULT_LEVEL, DEFAULT_PASSWORD, DEFAULT_OPERATOR = "02", "000000", "00000000"


def authority(options: Mapping[str, Any], edition: str = "2007", level: str | None = None) -> bytes:
    """Level, password and (2007) operator code, before +33H. ``level`` takes another password of ``passwords``."""
    who = level or options.get("level", DEFAULT_LEVEL if edition == "2007" else "00")
    password = bytes.fromhex(password_of(options, who))
    head = bytes.fromhex(who) + password[::-1]
    return head + bytes.fromhex(options.get("operator", DEFAULT_OPERATOR))[::-1] if edition == "2007" else head


def password_of(options: Mapping[str, Any], level: str) -> str:
    """The password of a level: that of ``passwords``, else ``password``. Six digits."""
    if len(level) != 2 or set(level) - set("0123456789"):
        raise BadInput(f"a level has two digits, not {level!r}", hint="such as 02 or 04")
    found: str = options.get("passwords", {}).get(level, options.get("password", DEFAULT_PASSWORD))
    return found


TO_BE_WRITTEN = mark("to be written")
"""What a meter refuses when it refuses a write."""


def tell(talk: Talk, control: int, data: bytes, what: str = TO_BE_WRITTEN) -> Dialogue[NoAnswer | None]:
    """Send a command once; None when it was acknowledged, the ``NoAnswer`` when nothing came. Raises ``Refused``."""
    request = talk.frame(control, data.translate(PLUS_33))
    try:
        reply = yield Ask(request, talk.answers(control), tries=1, answer_bytes=13, hold=True)
    except NoAnswer as error:
        error.hint = "the command was sent once; whether it was carried out is read from the meter, never guessed"
        return error
    talk.check(reply, what)
    return None
