"""What others sign we take, what we sign is what others sign, and nothing forged or stale gets through."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechat_samples import CONFIG, PLATFORM, certificate, private, public, samples

from meterhub.errors import ConfigError, NotGenuine
from meterhub_wechat import crypto

APIV3 = CONFIG["wx_apiv3_key"]
NOW_S = 1763798400


def name_of(sample):
    return sample["id"]


@pytest.mark.parametrize("sample", samples("wechat.authorization"), ids=name_of)
def test_a_request_is_signed_as_everywhere(sample):
    one = sample["in"]
    text = crypto.request_text(one["method"], one["path"], one["timestamp"], one["nonce_str"], one["body"])
    assert text == sample["out"]["message"]
    header = crypto.authorization(
        one["method"], one["path"], one["body"], mchid=one["mchid"], serial=one["serial_no"],
        key=private(one["private_key"]), timestamp=one["timestamp"], nonce=one["nonce_str"],
    )  # fmt: skip
    assert header == sample["out"]["authorization"]


@pytest.mark.parametrize("sample", samples("wechat.jsapi_paysign"), ids=name_of)
def test_the_page_inside_wechat_gets_signed_parameters(sample):
    one = sample["in"]
    found = crypto.pay_sign(
        one["appid"], one["timeStamp"], one["nonceStr"], one["prepay_id"], private(one["private_key"])
    )
    assert {name: found[name] for name in sample["out"]} == sample["out"]
    assert found["appId"] == one["appid"] and found["nonceStr"] == one["nonceStr"]


@pytest.mark.parametrize("sample", samples("wechat.response_verify"), ids=name_of)
def test_an_answer_is_taken_only_when_fresh_and_signed_with_a_known_key(sample):
    one, wanted = sample["in"], sample["out"]["require_valid"]
    try:
        crypto.verify(one["headers"], one["body"].encode(), PLATFORM, one["now"])
    except NotGenuine as error:
        assert wanted is not True, sample.get("why")
        assert error.why == (
            "probe" if "probe" in sample["why"] else "stale" if "301 s" in sample["why"] else "signature"
        )
    else:
        assert wanted is not False, sample.get("why")


@pytest.mark.parametrize(("age_s", "fresh"), [(299, True), (-299, True), (300, False), (-300, False)])
def test_a_message_is_fresh_for_less_than_five_minutes_both_ways(age_s, fresh):
    key, serial = private("wx_platform"), CONFIG["wx_public_key_id"]
    headers = crypto.sign_answer(b"{}", key=key, serial=serial, timestamp=str(NOW_S - age_s), nonce="n" * 32)
    if fresh:
        crypto.verify(headers, b"{}", PLATFORM, NOW_S)
    else:
        with pytest.raises(NotGenuine, match="five minutes"):
            crypto.verify(headers, b"{}", PLATFORM, NOW_S)


@pytest.mark.parametrize("sample", samples("wechat.notify"), ids=name_of)
def test_a_notice_is_proved_and_decrypted(sample):
    one, wanted = sample["in"], sample["out"]
    try:
        notice = crypto.read_notice(one["headers"], one["body"].encode(), PLATFORM, one["apiv3_key"], one["now"])
    except NotGenuine:
        assert not wanted["require_valid"], sample.get("why")
    else:
        assert wanted["require_valid"], sample.get("why")
        assert notice.resource == wanted["resource"] and notice.id and notice.event


@pytest.mark.parametrize("sample", samples("wechat.certificates"), ids=name_of)
def test_platform_certificates_are_decrypted_by_serial(sample):
    found = crypto.read_certificates(sample["in"]["body"].encode(), sample["in"]["apiv3_key"])
    wanted = {serial: re.sub(r"-----.*?-----|\s", "", pem) for serial, pem in sample["out"]["certs"].items()}
    assert {serial: crypto.base64.b64encode(one.der).decode() for serial, one in found.items()} == wanted


@pytest.mark.parametrize("sample", samples("wechat.oaep_decrypt"), ids=name_of)
def test_sensitive_fields_are_decrypted(sample):
    key = private(sample["in"]["private_key"])
    assert crypto.decrypt_field(sample["in"]["ciphertext"], key) == sample["out"]["plaintext"]
    assert crypto.decrypt_field(crypto.encrypt_field("张三", key.public_key()), key) == "张三"
    with pytest.raises(NotGenuine):
        crypto.decrypt_field(sample["in"]["ciphertext"], private("wx_wrong"))


def test_the_serial_of_the_merchant_is_read_from_his_certificate():
    assert certificate("wx_merchant_cert").serial_hex == CONFIG["wx_merchant_serial"]


def test_a_certificate_under_another_serial_is_refused():
    body = json.loads(samples("wechat.certificates")[0]["in"]["body"])
    body["data"][0]["serial_no"] = "00"
    with pytest.raises(NotGenuine, match="another serial"):
        crypto.read_certificates(json.dumps(body).encode(), APIV3)
    with pytest.raises(NotGenuine, match="incomplete"):
        crypto.read_certificates(b'{"data":[{}]}', APIV3)


@pytest.mark.parametrize("key", ["", "short", "é" * 32])
def test_an_apiv3_key_of_another_length_is_the_deployers_mistake(key):
    with pytest.raises(ConfigError, match="32 characters"):
        crypto.secret_bytes(key)


@pytest.mark.parametrize("timestamp", ["", "x", "-5", "1763798400.0", "９", "9" * 400])
def test_a_time_that_is_no_number_is_refused(timestamp):
    headers = crypto.sign_answer(b"", key=private("wx_platform"), serial="s", timestamp=timestamp, nonce="n")
    with pytest.raises(NotGenuine):
        crypto.verify(headers, b"", {"s": public("wx_platform")}, NOW_S)


def test_what_we_encrypt_and_sign_as_the_company_we_take_as_the_merchant():
    resource = crypto.encrypt(b'{"a":1}', APIV3, nonce="0123456789ab", associated_data="transaction")
    body = json.dumps(
        {"id": "1", "resource_type": "encrypt-resource", "event_type": "E", "resource": resource}
    ).encode()
    headers = crypto.sign_answer(body, key=private("wx_platform"), serial="s", timestamp=str(NOW_S), nonce="n")
    notice = crypto.read_notice(headers, body, {"s": public("wx_platform")}, APIV3, NOW_S)
    assert notice == crypto.Notice("1", "E", {"a": 1})


HEADERS = ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature", "x"]


@given(st.binary(max_size=60), st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=8)))
def test_any_bytes_and_headers_are_refused_in_words(body, headers):
    with pytest.raises(NotGenuine):
        crypto.read_notice(headers, body, PLATFORM, APIV3, NOW_S)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":1,"a":2}', b"[" * 100_000, b"\xff"], ids=range(5))
def test_what_is_no_plain_object_is_refused(body):
    with pytest.raises(NotGenuine):
        crypto.read_object(body)
