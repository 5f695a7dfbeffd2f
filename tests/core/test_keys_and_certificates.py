"""Keys and certificates are read in every form that companies hand out, and everything else is refused in words."""

from __future__ import annotations

import base64

import pytest
from Crypto.PublicKey import ECC, RSA

from meterhub import certificates, rsa_keys
from meterhub.errors import ConfigError

KEY = RSA.generate(2048)
PEMS = [KEY.export_key("PEM", pkcs=form).decode() for form in (1, 8)]
BARE = [base64.b64encode(KEY.export_key("DER", pkcs=form)).decode() for form in (1, 8)]

SELF_SIGNED = """
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
"""


@pytest.mark.parametrize("text", [*PEMS, *BARE, "\ufeff" + BARE[0], BARE[1][:64] + "\n" + BARE[1][64:]], ids=range(6))
def test_a_private_key_is_read_in_every_form(text):
    assert rsa_keys.private_key(text) == KEY
    with pytest.raises(ConfigError, match="private key"):
        rsa_keys.public_key(text)


def test_a_public_key_is_read_in_every_form():
    half = KEY.public_key()
    for text in (half.export_key("PEM").decode(), base64.b64encode(half.export_key("DER")).decode()):
        assert rsa_keys.public_key(text) == half
        with pytest.raises(ConfigError, match="public key"):
            rsa_keys.private_key(text)


@pytest.mark.parametrize(
    "text", ["", "secret!", "AAAA", "-----BEGIN X-----", ECC.generate(curve="P-256").export_key(format="PEM")]
)
def test_what_is_no_rsa_key_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError, match="no RSA key") as caught:
        rsa_keys.private_key(text)
    assert not text or text not in str(caught.value)


def test_a_short_key_is_refused():
    with pytest.raises(ConfigError, match="1024 bits"):
        rsa_keys.private_key(RSA.generate(1024).export_key().decode())


def test_a_signature_holds_for_its_text_and_its_key_only():
    signature = rsa_keys.sign(KEY, b"one")
    assert rsa_keys.verified(KEY.public_key(), b"one", signature)
    assert not rsa_keys.verified(KEY.public_key(), b"two", signature)
    assert not rsa_keys.verified(KEY.public_key(), b"one", signature + "\n")
    assert not rsa_keys.verified(KEY.public_key(), b"one", "é")


def test_a_fingerprint_tells_keys_apart():
    assert rsa_keys.fingerprint(KEY) == rsa_keys.fingerprint(KEY.public_key())
    assert len(rsa_keys.fingerprint(KEY).split(":")) == 8


@pytest.mark.parametrize("text", ["", "AAAA", SELF_SIGNED, BARE[0]])
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(ConfigError, match="no certificate"):
        certificates.load(text)
