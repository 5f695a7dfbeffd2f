"""What others sign we take, what we sign is what others sign, and nothing forged gets through."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from alipay_samples import certificate, pem, private, public, samples
from hypothesis import given
from hypothesis import strategies as st

from meterhub import certificates
from meterhub.errors import NotGenuine
from meterhub_alipay import crypto, json_slices

PLATFORM = {crypto.KEY_MODE: public("alipay_platform")}


def name_of(sample):
    return sample["id"]


@pytest.mark.parametrize("sample", samples("alipay.request_sign") + samples("alipay.cert_request_sign"), ids=name_of)
def test_a_request_is_signed_as_everywhere(sample):
    params = sample["in"]["params"]
    assert crypto.sign_content(params) == sample["out"]["sign_content"]
    assert crypto.sign_request(params, private(sample["in"]["private_key"])) == sample["out"]["sign"]
    signed = {**params, "sign": sample["out"]["sign"]}
    assert crypto.request_verified(signed, public("alipay_app"))
    assert not crypto.request_verified({**signed, "app_id": "1"}, public("alipay_app"))


@pytest.mark.parametrize("sample", samples("alipay.page_url"), ids=name_of)
def test_the_address_of_the_cashier_page_is_signed(sample):
    wanted = dict(parse_qsl(urlsplit(sample["out"]["get_url"]).query, strict_parsing=True))
    sign = wanted.pop("sign")
    url = crypto.signed_url(sample["in"]["gateway"], wanted, private("alipay_app"))
    assert url.startswith(sample["in"]["gateway"] + "?")
    assert dict(parse_qsl(urlsplit(url).query)) == {**wanted, "sign": sign}


@pytest.mark.parametrize("sample", samples("alipay.response_verify"), ids=name_of)
def test_an_answer_is_taken_only_when_its_signature_covers_it(sample):
    given_, wanted = sample["in"], sample["out"].get("require_valid")
    keys = {crypto.KEY_MODE: public(given_["public_key"])}
    try:
        content = crypto.read_answer(given_["raw"].encode(), given_["node"], keys)
    except NotGenuine:
        assert wanted is not True, sample.get("why")
        return
    assert wanted is not False, sample.get("why")
    if "official_sdk_content" in sample["out"] and sample["out"]["official_sdk_content"]:
        assert content == json_slices.value(sample["out"]["official_sdk_content"])


@pytest.mark.parametrize("sample", samples("alipay.notify_verify"), ids=name_of)
def test_a_notice_is_taken_only_when_its_signature_covers_it(sample):
    given_, wanted = sample["in"], sample["out"]["require_valid"]
    try:
        fields = crypto.read_notice(given_["body"].encode(), {crypto.KEY_MODE: public(given_["public_key"])})
    except NotGenuine:
        assert wanted is not True, sample.get("why")
        return
    assert wanted is not False, sample.get("why")
    assert fields["sign"]


@pytest.mark.parametrize("sample", samples("alipay.cert_sn"), ids=name_of)
def test_certificates_have_the_numbers_that_alipay_gives_them(sample):
    app, platform = certificate("alipay_app_cert"), certificate("alipay_platform_cert")
    assert crypto.certificate_number(app) == sample["out"]["app_cert_sn"]
    assert crypto.certificate_number(platform) == sample["out"]["alipay_cert_sn"]
    bundle = certificates.load_all(pem("alipay_root_cert"))
    assert crypto.root_number(bundle) == sample["out"]["alipay_root_cert_sn"]
    assert len(bundle) == 3 and sum(one.signed_by_rsa for one in bundle) == 2


def test_the_new_certificate_of_alipay_must_come_from_the_stored_root():
    bundle = certificates.load_all(pem("alipay_root_cert"))
    platform = certificate("alipay_platform_cert")
    assert not platform.issued_by(platform)
    assert any(one.issued_by(one) for one in bundle)


def test_a_notice_that_names_its_certificate_is_proved_with_that_certificate():
    fields = {"app_id": "1", "alipay_cert_sn": "abc", "total_amount": "1.00"}
    for covered in (fields, {name: value for name, value in fields.items() if name != "alipay_cert_sn"}):
        sign = crypto.sign_notice(covered, private("alipay_platform"))
        body = urlencode({**fields, "sign": sign, "sign_type": "RSA2"}).encode()
        assert crypto.read_notice(body, {"abc": public("alipay_platform")})["total_amount"] == "1.00"
        with pytest.raises(NotGenuine, match="unknown certificate"):
            crypto.read_notice(body, {"another": public("alipay_platform")})


def test_a_notice_that_names_none_may_be_signed_with_any_certificate_that_is_known():
    fields = {"app_id": "1", "total_amount": "1.00"}
    body = urlencode({**fields, "sign": crypto.sign_notice(fields, private("alipay_platform"))}).encode()
    assert crypto.read_notice(body, {"a": public("alipay_wrong"), "b": public("alipay_platform")})["app_id"] == "1"
    with pytest.raises(NotGenuine, match="wrong"):
        crypto.read_notice(body, {"a": public("alipay_wrong")})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{", b'{"a_response":{}}', b'{"a_response":{},"sign":1}', b'{"a_response":[],"sign":"x"}',
        b'{"a":1,}', b'{"a_response":{},"sign":"x"} {}', b'{"a_response":NaN,"sign":"x"}', b"\xff\xfe",
        b'{"a_response":' + b"[" * 100_000, b'{"a_response":{"a":1,"a":2},"sign":"x"}', b'{"a" "b"}', b"{1:2}",
        b'{"a_response":{},"error_response":{},"sign":"x"}', b'{"x":"' + b"a" * (1 << 20) + b'"}',
    ],
    ids=range(16),
)  # fmt: skip
def test_a_hostile_answer_is_refused_in_words(raw):
    with pytest.raises(NotGenuine):
        crypto.read_answer(raw, "a_response", PLATFORM)


def test_why_a_caller_was_not_known_can_be_read_without_a_signature():
    raw = b'{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}'
    assert crypto.unsigned_answer(raw, "alipay_trade_query_response")["sub_code"] == "isv.invalid-app-id"
    assert crypto.unsigned_answer(b"{}", "x") == {}
    with pytest.raises(NotGenuine):
        crypto.unsigned_answer(b'{"x":1}', "x")


@pytest.mark.parametrize("body", [b"", b"a", b"a=1&a=2", b"a=%FF", b"\xff=1", b"a=1&" * 300, b"a=1;b=2"], ids=range(7))
def test_a_hostile_notice_is_refused_in_words(body):
    with pytest.raises(NotGenuine):
        crypto.read_notice(body, PLATFORM)


VALUES = st.text(max_size=9) | st.integers() | st.lists(st.text(max_size=3), max_size=3)


@given(st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=4))
def test_the_slices_of_an_object_are_its_values(content):
    for text in (json.dumps(content), json.dumps(content, ensure_ascii=False, indent=1)):
        assert {name: json_slices.value(part) for name, part in json_slices.members(text).items()} == content


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_taken_but_never_break(data):
    for call in (
        lambda: crypto.read_answer(data, "a", PLATFORM),
        lambda: crypto.read_notice(data, PLATFORM),
        lambda: crypto.unsigned_answer(data, "a"),
    ):
        try:
            call()
        except NotGenuine as error:
            assert error.why in ("form", "signature")
