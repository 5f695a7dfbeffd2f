"""Encrypted data: mode 5 (AES-128 in CBC with a vector from the header) and mode 7 (with a key of its own per message).

::

    configuration word   D12..D8 mode   D7..D4 number of encrypted blocks of 16 bytes

EN 13757-7, clauses 7.6 and 9. In both modes the clear text begins with 2F 2F, which proves the key; what stands behind
the encrypted blocks is clear. Older meters send signatures in the place of the configuration word, so only the modes 5
and 7 with data that can be that many blocks may be encrypted.
"""

from __future__ import annotations

from Crypto.Cipher import AES
from Crypto.Hash import CMAC

from meterhub.errors import BadFrame

BLOCK = 16
CLEAR_START = b"\x2f\x2f"
MODE_CBC, MODE_DERIVED_KEY = 5, 7
DERIVE_ENCRYPTION_KEY_FROM_METER = 0x00


def encrypted_size(configuration: int, data: bytes) -> int:
    """How many bytes at the start of ``data`` are encrypted; 0 if they are clear."""
    size = (configuration >> 4 & 0x0F) * BLOCK
    if (configuration >> 8 & 0x1F) not in (MODE_CBC, MODE_DERIVED_KEY) or not 0 < size <= len(data):
        return 0
    return 0 if data.startswith(CLEAR_START) else size


def repeats_itself(data: bytes) -> bool:
    """Whether ``data`` have fewer different bytes than encrypted ones would: under four fifths of what chance gives.

    Of 20,000 random strings of 32 bytes and more at most one has as few; clear data of real meters have three fifths.
    """
    by_chance = 256 * (1 - (255 / 256) ** len(data))
    return len(set(data)) < 0.8 * by_chance


def decrypt_mode_5(data: bytes, size: int, key: bytes, identity: bytes, access: int) -> bytes:
    """``data`` with their first ``size`` bytes in clear; ``identity`` is the secondary address as on the wire.

    Raises ``BadFrame`` for a wrong key.
    """
    vector = identity[4:6] + identity[:4] + identity[6:8] + bytes([access]) * 8
    return _decrypt(data, size, key, vector)


def decrypt_mode_7(data: bytes, size: int, key: bytes, identity: bytes, counter: int) -> bytes:
    """The same with the key for this one message, which follows from ``counter`` and the identification number."""
    one_time_key = derive_key(key, identity[:4], counter)
    return _decrypt(data, size, one_time_key, bytes(BLOCK))


def derive_key(key: bytes, identification: bytes, counter: int) -> bytes:
    """The key that a meter encrypts one message with (key derivation by CMAC, EN 13757-7, clause 9.6)."""
    message = bytes([DERIVE_ENCRYPTION_KEY_FROM_METER]) + counter.to_bytes(4, "little") + identification + b"\x07" * 7
    return CMAC.new(checked_key(key), message, ciphermod=AES).digest()


def checked_key(key: bytes) -> bytes:
    """``key`` if it can be one for AES-128; raises ``BadFrame``, which never shows it."""
    if len(key) != BLOCK:
        raise BadFrame(f"a key has {BLOCK} bytes, not {len(key)}")
    return key


def _decrypt(data: bytes, size: int, key: bytes, vector: bytes) -> bytes:
    clear = AES.new(checked_key(key), AES.MODE_CBC, vector).decrypt(data[:size])
    if not clear.startswith(CLEAR_START):
        raise BadFrame("the data do not decrypt with this key")
    return clear + data[size:]
