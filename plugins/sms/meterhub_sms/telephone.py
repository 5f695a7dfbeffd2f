"""Telephone numbers as the companies write them. Pure.

::

    +8613800000000 = 008613800000000 = 8613800000000 = 13800000000      mainland China, eleven digits
    +85212345678   = 0085212345678   = 85212345678                      elsewhere
"""

from __future__ import annotations

import re

MAINLAND = re.compile(r"(?:\+?86|0086)?(1\d{10})", re.ASCII)


def international(text: str) -> str:
    """A number with ``+`` and country code; without a code it is one of mainland China."""
    mainland = MAINLAND.fullmatch(text)
    return f"+86{mainland[1]}" if mainland else "+" + text.removeprefix("+").removeprefix("00")


def bare(number: str) -> str:
    """A number as Aliyun takes it: those of mainland China without their code, others without a sign."""
    return number.removeprefix("+86").removeprefix("+")
