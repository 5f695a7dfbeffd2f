"""What voluptuous finds wrong in what people send, as our own error."""

from __future__ import annotations

from collections.abc import Iterable

import voluptuous as vol

from meterhub.errors import BadInput
from meterhub.texts import mark

MAX_NAME = 200
WORDING = (
    mark("required key not provided"),
    mark("extra keys not allowed"),
    mark("expected a dictionary"),
    mark("expected str"),
    mark("expected int"),
    mark("expected bool"),
    mark("expected list"),
    mark("expected {type}"),
    mark("not a valid value"),
    mark("value must be one of {choices}"),
    mark("value must be at least {least}"),
    mark("value must be at most {most}"),
    mark("length of value must be at least {least}"),
    mark("length of value must be at most {most}"),
)
"""Its own sentences, for the catalogues."""


def as_bad_input(problem: vol.Invalid, where: str, known: Iterable[object] = ()) -> BadInput:
    """The first thing that is wrong, with the name of the parameter; ``where`` says in what.

    ``known`` are the parameters that there are, for the hint.
    """
    name = ".".join(str(part) for part in problem.path)[:MAX_NAME]
    if not name:
        return BadInput(problem.error_message, where=where)
    extra = len(problem.path) == 1 and problem.error_message == "extra keys not allowed"
    hint = f"known: {', '.join(map(str, known)) or 'none'}" if extra else ""
    return BadInput(f"{name} is wrong: {problem.error_message}", where=where, hint=hint)
