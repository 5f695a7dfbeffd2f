"""Checks a section of the configuration against a voluptuous mapping and reports all its mistakes at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from meterhub.errors import ConfigError, ConfigErrors


def check(section: Any, schema: Mapping[Any, Any], *, where: str = "") -> dict[str, Any]:
    """The section with defaults filled in and values converted; ``where`` is the ``file:line`` it stands at.

    Raises ``ConfigError`` for one mistake, ``ConfigErrors`` for several. An unknown key names the near miss.
    """
    if not isinstance(section, Mapping):
        raise ConfigError(f"a mapping is expected here, not {section!r}", where=where)
    try:
        checked: dict[str, Any] = vol.Schema(dict(schema))(dict(section))
    except vol.MultipleInvalid as problem:
        errors = [_explain(one, schema, where) for one in problem.errors]
        raise errors[0] if len(errors) == 1 else ConfigErrors(errors) from None
    return checked


def _explain(problem: vol.Invalid, schema: Mapping[Any, Any], where: str) -> ConfigError:
    key = ".".join(str(part) for part in problem.path)
    if problem.error_message != "extra keys not allowed":
        return ConfigError(f"{key}: {problem.error_message}", where=where)
    known = sorted(str(one) for one in schema) if len(problem.path) == 1 else []
    near = difflib.get_close_matches(str(problem.path[-1]), known, 1)
    hint = f"did you mean {near[0]}?" if near else ("known keys: " + ", ".join(known) if known else "")
    return ConfigError(f"there is no key {key}", where=where, hint=hint)
