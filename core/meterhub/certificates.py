"""X.509 certificates (RFC 5280) as far as payment companies need them: serials, issuers, validity, chains. Pure.

::

    Certificate ::= SEQUENCE { tbs, signatureAlgorithm, signatureValue BIT STRING }
    tbs         ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject, publicKeyInfo, ... }
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from Crypto.PublicKey.RSA import RsaKey
from Crypto.Util.asn1 import DerBitString, DerObject, DerObjectId, DerSequence, DerSetOf

from meterhub import rsa_keys
from meterhub.errors import ConfigError

PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
RSA_SHA256 = "1.2.840.113549.1.1.11"
RSA_FAMILY = "1.2.840.113549.1.1."
ATTRIBUTES = {
    "2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
    "2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "emailAddress",
}  # fmt: skip
"""Short names of RFC 4514 §3, and the usual one of PKCS#9 for an address."""
GENERALIZED_TIME = 24
MAX_CHAIN = 5


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. ``issuer`` is the name in RFC 4514 order, most specific part first, without blanks."""

    serial: int
    issuer: str
    subject: str
    algorithm: str
    """The OID that the issuer signed with."""
    not_before: datetime
    not_after: datetime
    der: bytes

    @property
    def serial_hex(self) -> str:
        """The serial number as WeChat Pay writes it: upper-case hex."""
        digits = f"{self.serial:X}"
        return digits.zfill(len(digits) + len(digits) % 2)

    @property
    def signed_by_rsa(self) -> bool:
        """Whether its issuer signed with RSA, whatever the digest."""
        return self.algorithm.startswith(RSA_FAMILY)

    def public_key(self) -> RsaKey:
        """Its key. Raises ``ConfigError`` when that is no RSA key."""
        return rsa_keys.public_key(base64.b64encode(self.der).decode())

    def pem(self) -> str:
        """It as a file."""
        return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(self.der).decode()}-----END CERTIFICATE-----\n"

    def valid_at(self, when: datetime) -> bool:
        """Whether ``when`` (aware) lies in its life."""
        return self.not_before <= when <= self.not_after

    def issued_by(self, issuer: Certificate) -> bool:
        """Whether ``issuer`` signed it, with RSA and SHA-256."""
        if self.issuer != issuer.subject or self.algorithm != RSA_SHA256:
            return False
        body, _, signature = _parts(self.der)
        bits = DerBitString().decode(signature).value
        return rsa_keys.verified(issuer.public_key(), body, base64.b64encode(bits).decode())


def load(text: str) -> Certificate:
    """The first certificate in ``text`` (PEM, or bare Base64). Raises ``ConfigError``."""
    return load_all(text)[0]


def load_all(text: str) -> list[Certificate]:
    """Every certificate of a bundle, in its order; those of other key kinds too. Raises ``ConfigError`` for none."""
    bodies = PEM.findall(text) or [text]
    try:
        return [_certificate(base64.b64decode("".join(body.split()), validate=True)) for body in bodies]
    except (ValueError, IndexError, TypeError, KeyError):
        raise ConfigError("this is no certificate", hint="give the .crt or .pem file as it was downloaded") from None


def from_base64(text: str) -> str:
    """A certificate file that was sent as Base64 of the whole file. Raises ``ConfigError``."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        raise ConfigError("this is no certificate") from None


def trusted(chain: list[Certificate], roots: list[Certificate], when: datetime) -> bool:
    """Whether the first of ``chain`` was issued, over others of it, by one of ``roots``, and all are valid now."""
    known = {one.der for one in roots}
    at: Certificate | None = chain[0]
    for _ in range(MAX_CHAIN):
        if at is None or not at.valid_at(when):
            return False
        if at.der in known:
            return True
        at = next((one for one in (*roots, *chain[1:]) if at.issued_by(one)), None)
    return False


def _certificate(der: bytes) -> Certificate:
    body, algorithm, _ = _parts(der)
    fields = _sequence(body)
    if isinstance(fields[0], bytes) and fields[0][0] == 0xA0:  # the version, left out for version 1
        fields = fields[1:]
    serial, _, issuer, validity, subject = fields[:5]
    begin, end = _sequence(validity)
    return Certificate(
        int(serial),
        _name(issuer),
        _name(subject),
        _oid(_sequence(algorithm)[0]),
        _time(begin),
        _time(end),
        der,
    )


def _parts(der: bytes) -> tuple[bytes, bytes, bytes]:
    body, algorithm, signature = _sequence(der)
    return body, algorithm, signature


def _name(der: bytes) -> str:
    parts = []
    for member in _sequence(der):
        pairs = [_sequence(pair) for pair in _set(member)]
        parts.append("+".join(f"{ATTRIBUTES.get(_oid(kind), _oid(kind))}={_text(value)}" for kind, value in pairs))
    return ",".join(reversed(parts))


def _sequence(der: bytes) -> list[Any]:
    found = DerSequence().decode(der)
    return [found[at] for at in range(len(found))]


def _set(der: bytes) -> list[Any]:
    found = DerSetOf().decode(der)
    return [found[at] for at in range(len(found))]


def _oid(der: bytes) -> str:
    return DerObjectId().decode(der).value


def _text(der: bytes) -> str:
    value = DerObject().decode(der)
    encoding = "utf-16-be" if der[0] == 0x1E else "utf-8"  # BMPString
    return value.payload.decode(encoding)


def _time(der: bytes) -> datetime:
    value = DerObject().decode(der)
    text = value.payload.decode("ascii").removesuffix("Z")
    if der[0] != GENERALIZED_TIME:  # UTCTime: two digits of the year, 1950 to 2049 (RFC 5280 §4.1.2.5.1)
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
