"""The seam for what needs a key: who makes the MACs of purse commands.

State Grid meters check each purse command with keys that live in a security module (ESAM) and a password machine; no
open system has them. So a profile says who signs: nobody, the maker's plain variant (zeros), or somebody outside, whose
MACs come with the call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from meterhub.errors import BadInput

MAC_BYTES = 4


class Signer(ABC):
    """Makes the two MACs of a purse command."""

    @abstractmethod
    def sign(self, identifier: str, content: bytes, params: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """MAC 1 and MAC 2 as they go on the wire (before +33H) for ``content``; raises ``BadInput`` if it cannot."""


class NoSigner(Signer):
    """There are no keys: the command is not sent."""

    def sign(self, identifier: str, content: bytes, params: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Always raises."""
        raise BadInput(
            "this meter takes purse commands only with the utility's keys, and no signer is set up",
            hint="signer: plaintext for makers without keys, signer: external when somebody outside makes the MACs",
        )


class PlainSigner(Signer):
    """The makers' variants without a security module: zeros stand where the MACs would."""

    def sign(self, identifier: str, content: bytes, params: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Zeros."""
        return bytes(MAC_BYTES), bytes(MAC_BYTES)


class ExternalSigner(Signer):
    """The MACs come with the call, as ``mac_1`` and ``mac_2`` (8 hex digits, high byte first)."""

    def sign(self, identifier: str, content: bytes, params: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Those of the call."""
        return _mac(params, "mac_1"), _mac(params, "mac_2")


def _mac(params: Mapping[str, Any], name: str) -> bytes:
    try:
        data = bytes.fromhex(str(params.get(name, "")))
    except ValueError:
        data = b""
    if len(data) != MAC_BYTES:
        raise BadInput(f"{name} must come with the call: 8 hex digits from the service that signs")
    return data[::-1]


SIGNERS: Mapping[str, Signer] = {"none": NoSigner(), "plaintext": PlainSigner(), "external": ExternalSigner()}
