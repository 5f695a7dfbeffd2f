"""Addresses as people write them."""

from __future__ import annotations

import pytest

from meterhub.errors import ConfigError
from meterhub_mbus.address import Address, parse


@pytest.mark.parametrize(
    ("text", "canonical", "wire"),
    [
        ("5", "5", ""),
        ("p250", "250", ""),
        ("0", "0", ""),
        ("12345678", "12345678", "78563412FFFFFFFF"),
        ("12345678-pad-01-07", "12345678-PAD-01-07", "7856341224400107"),
        ("1234567824400107", "12345678-PAD-01-07", "7856341224400107"),
        ("1234ffff-*-*-07", "1234FFFF-*-*-07", "FFFF3412FFFFFF07"),
        ("050002E5-0477", "050002E5-ACW", "E502000577 04FFFF"),
        ("FFFFFFFF", "FFFFFFFF", "FFFFFFFFFFFFFFFF"),
    ],
)
def test_each_form_has_one_canonical_text(text, canonical, wire):
    address = parse(text)
    assert str(address) == canonical and address.secondary == bytes.fromhex(wire)
    assert parse(str(address)) == address


def test_a_fabrication_number_goes_low_byte_first():
    assert parse("12345678-PAD-01-07#01020304") == Address(
        253, bytes.fromhex("7856341224400107"), bytes.fromhex("04030201")
    )


@pytest.mark.parametrize(
    "text", ["", "251", "253", "255", "999", "1234567", "12345678-K", "12345678-KAM-1", "1G345678"]
)
def test_what_is_no_address_is_told(text):
    with pytest.raises(ConfigError):
        parse(text)


def test_digits_of_the_number_may_be_left_open_but_not_those_of_the_rest():
    assert parse("1F345678").fits(bytes.fromhex("7856341224400107"))
    assert not parse("1F345679").fits(bytes.fromhex("7856341224400107"))
    assert not parse("12345678-KAM").fits(bytes.fromhex("7856341224400107"))
    assert parse("12345678-*-01").fits(bytes.fromhex("7856341224400107"))
