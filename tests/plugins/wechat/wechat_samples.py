"""Throw-away keys and samples of signatures, made with other programs than ours."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from meterhub import certificates, rsa_keys

FOLDER = Path(__file__).parent
KEYS = json.loads((FOLDER / "wechat_keys.json").read_text(encoding="utf-8"))
CONFIG = KEYS["config"]


def samples(kind):
    """Every sample of ``kind``."""
    with gzip.open(FOLDER / "wechat_vectors.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [one for one in map(json.loads, lines) if one["kind"] == kind]


@cache
def private(name):
    """A private key by name: ``wx_merchant``, ``wx_platform``, ``wx_platform_old``, ``wx_wrong``."""
    return rsa_keys.private_key(KEYS["rsa"][name])


def public(name):
    """The public half."""
    return private(name).public_key()


def certificate(name):
    """A certificate by name: ``wx_merchant_cert``, ``wx_platform_cert``, ``wx_platform_cert_old``."""
    return certificates.load(KEYS["certificates"][name][0])


PLATFORM = {
    CONFIG["wx_public_key_id"]: public("wx_platform"),
    CONFIG["wx_platform_serial"]: certificate("wx_platform_cert").public_key(),
    CONFIG["wx_platform_old_serial"]: certificate("wx_platform_cert_old").public_key(),
}
"""Every key of WeChat Pay that is valid in the samples, both kinds."""
