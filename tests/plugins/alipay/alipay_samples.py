"""Throw-away keys and samples of signatures, made with other programs than ours."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from meterhub import certificates, rsa_keys

FOLDER = Path(__file__).parent
KEYS = json.loads((FOLDER / "alipay_keys.json").read_text(encoding="utf-8"))


def samples(kind):
    """Every sample of ``kind``."""
    with gzip.open(FOLDER / "alipay_vectors.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [one for one in map(json.loads, lines) if one["kind"] == kind]


@cache
def private(name):
    """A private key by name: ``alipay_app``, ``alipay_platform``, ``alipay_wrong``."""
    return rsa_keys.private_key(KEYS["rsa"][name])


def public(name):
    """The public half."""
    return private(name).public_key()


def pem(name):
    """A certificate file by name: ``alipay_app_cert``, ``alipay_platform_cert``, ``alipay_root_cert`` (three)."""
    return "".join(
        f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n" for body in KEYS["certificates"][name]
    )


def certificate(name):
    """The first certificate of a file."""
    return certificates.load(pem(name))
