"""Vectors: frames in a profile with the values they must mean, decoded by the profile's own protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import voluptuous as vol

from meterhub.config.nodes import Seq
from meterhub.config.schema import check
from meterhub.devices.profile import Profile
from meterhub.errors import BadFrame, ConfigError, ConfigErrors
from meterhub.field.protocol import Protocol

VECTOR = {
    vol.Required("entity", description="key of the entity"): str,
    vol.Required("frame", description="the answer of a meter, in hex"): str,
    vol.Required("value", description="what it means, as it is shown; empty: no value"): vol.Any(None, str),
}


def vector_mistakes(profile: Profile, protocol: Protocol) -> Iterator[ConfigError]:
    """Everything that is wrong with the vectors of a profile, each with file and line."""
    for number, vector in enumerate(profile.vectors):
        where = profile.vectors.where(number) if isinstance(profile.vectors, Seq) else profile.origin
        try:
            _check(profile, protocol, vector, where)
        except ConfigErrors as several:
            yield from several.errors
        except ConfigError as error:
            yield error


def _check(profile: Profile, protocol: Protocol, vector: Any, where: str) -> None:
    """Raises ``ConfigError`` or ``ConfigErrors`` for a vector that is not right."""
    given = check(vector, VECTOR, where=where, path="vectors")
    key, expected = given["entity"], given["value"]
    if key not in profile.points:
        raise ConfigError(f"there is no entity {key} with a point", where=where, hint=", ".join(profile.points))
    try:
        frame = bytes.fromhex(given["frame"])
        found = protocol.values_of_model(frame, {key: profile.points[key]}, profile.options)
    except ValueError:
        raise ConfigError("the frame is not an even number of hex digits", where=where) from None
    except BadFrame as error:
        raise ConfigError(f"this is no frame of {profile.protocol}: {error.message}", where=where) from None
    if found is None:
        hint = "leave vectors: out, or let the protocol's values() read them"
        raise ConfigError(f"the protocol {profile.protocol} does not check vectors", where=where, hint=hint)
    if key not in found:
        raise ConfigError(f"the frame does not hold what the point of {key} names", where=where)
    shown = profile.entities[profile.index[key]].shown(found[key])
    word = ("false", "true")[shown] if isinstance(shown, bool) else shown
    if word != expected:
        raise ConfigError(f"the frame means {key} = {_told(word)}, not {_told(expected)}", where=where)


def _told(word: str | None) -> str:
    return "no value" if word is None else word
