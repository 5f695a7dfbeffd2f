"""What the providers' own programs sign is what we sign."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from meterhub.errors import ProviderBusy, ProviderRefused, ProviderUnknown
from meterhub_sms import crypto, outcomes


def samples(kind):
    with gzip.open(Path(__file__).parent / "sms_vectors.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [one for one in map(json.loads, lines) if one["kind"] == kind]


@pytest.mark.parametrize("sample", samples("aliyun.acs3"), ids=lambda one: one["id"])
def test_acs3(sample):
    one, body = sample["in"], sample["in"]["body"].encode()
    headers = one["headers"]
    canonical = crypto.acs3_request(
        one["method"], one["path"], one["query"], headers, sorted(headers), crypto.payload_hash(body)
    )
    assert canonical == sample["out"]["canonical_request"]
    found = crypto.acs3_authorization(
        one["method"], one["path"], one["query"], headers, body,
        key_id=one["access_key_id"], secret=one["access_key_secret"],
    )  # fmt: skip
    assert found == sample["out"]["authorization"]


@pytest.mark.parametrize("sample", samples("aliyun.rpc_v1"), ids=lambda one: one["id"])
def test_rpc(sample):
    one = sample["in"]
    assert crypto.rpc_signature(one["method"], one["params"], one["access_key_secret"]) == sample["out"]["signature"]


@pytest.mark.parametrize("sample", samples("tencent.tc3"), ids=lambda one: one["id"])
def test_tc3(sample):
    one = sample["in"]
    found = crypto.tc3_authorization(
        one["payload"].encode(), host=one["host"], content_type=one["content_type"], service=one["service"],
        timestamp=one["timestamp"], secret_id=one["secret_id"], secret=one["secret_key"],
    )  # fmt: skip
    assert found == sample["out"]["authorization"]


def test_signatures_are_compared_in_constant_time():
    assert crypto.equal("ab", "ab") and not crypto.equal("ab", "ac")


@pytest.mark.parametrize(("path", "covered"), [("", "/"), ("/", "/"), ("/v1/sms", "/v1/sms")])
def test_acs3_covers_the_path_that_is_asked_for(path, covered):
    assert crypto.acs3_request("POST", path, {}, {}, [], "0").splitlines()[1] == covered


def test_what_a_company_says_is_told_in_few_words():
    for code, kind in (("isv." + "X" * 99, ProviderRefused), ("isp." + "X" * 99, ProviderUnknown)):
        error = outcomes.error_of(code, "why " * 99, "m1")
        assert type(error) is kind and error.message == f"the SMS company answered {code[:80]}"
        assert error.hint == ("why " * 99)[:200]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("isp.RAM_PERMISSION_DENY", ProviderUnknown), ("InternalError", ProviderUnknown),
        ("ServiceUnavailable", ProviderUnknown), ("RequestTimeout", ProviderUnknown),
        ("ServiceTimeout", ProviderUnknown),
        ("isv.BUSINESS_LIMIT_CONTROL", ProviderBusy), ("Throttling.User", ProviderBusy),
        ("LimitExceeded.PhoneNumberDailyLimit", ProviderBusy), ("RequestLimitExceeded", ProviderBusy),
        ("LimitExceeded.PhoneNumberCountLimit", ProviderRefused), ("isv.AMOUNT_NOT_ENOUGH", ProviderRefused),
    ],
)  # fmt: skip
def test_what_a_company_says_is_doubt_or_too_much_or_a_no(code, kind):
    assert type(outcomes.error_of(code, "", "m1")) is kind
