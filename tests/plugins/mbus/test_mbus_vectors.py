"""Telegrams of real meters: every record, every header, every refusal."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from struct import pack

import pytest

from meterhub.errors import BadFrame
from meterhub_mbus import decode_telegram, records
from meterhub_mbus.explain import explain

LINES = (Path(__file__).parent / "mbus_vectors.jsonl").read_text("utf-8").splitlines()
VECTORS = [json.loads(line) for line in LINES]
GOOD = [one for one in VECTORS if "reject" not in one]
BAD = [one for one in VECTORS if "reject" in one]


def by_name(vector):
    return vector["name"]


def same(kind, ours, theirs):
    """Whether two values are the same; real32 were written with the digits of a double there."""
    if theirs is None or kind not in ("number", "real"):
        return ours == theirs
    if kind == "number":
        return Decimal(ours) == Decimal(theirs)
    return any(pack("<f", float(Decimal(ours) * k)) == pack("<f", float(Decimal(theirs) * k)) for k in (1, 1000))


@pytest.mark.parametrize("vector", GOOD, ids=by_name)
def test_every_record_of_a_real_telegram_comes_out(vector):
    answer = explain(bytes.fromhex(vector["hex"]))
    assert len(answer["records"]) == len(vector["records"])
    for found, (quantity, value, unit, storage, tariff, device, function, kind, raw) in zip(
        answer["records"], vector["records"], strict=True
    ):
        assert same(kind, found["value"], value), found
        assert found["valid"] == (value is not None or kind == "manufacturer")
        named = (found["quantity"], found["unit"], found["storage"], found["tariff"], found["device"])
        assert named == (quantity, unit, storage, tariff, device)
        assert (found["function"], found["raw"]) == (function, raw)
    assert answer["more"] == vector["more"]
    json.dumps(answer)


@pytest.mark.parametrize("vector", [one for one in GOOD if "header" in one], ids=by_name)
def test_every_header_of_a_real_telegram_comes_out(vector):
    header = explain(bytes.fromhex(vector["hex"]))["header"]
    keys = ("id", "manufacturer", "version", "medium", "access", "status")
    assert [header[key] for key in keys] == vector["header"]


@pytest.mark.parametrize("vector", [one for one in GOOD if "error" in one], ids=by_name)
def test_an_application_error_has_its_code(vector):
    assert decode_telegram(bytes.fromhex(vector["hex"])).application_error == vector["error"]


@pytest.mark.parametrize("vector", BAD, ids=by_name)
def test_a_broken_telegram_is_refused(vector):
    with pytest.raises(BadFrame):
        records(bytes.fromhex(vector["hex"]))


def test_decoding_a_telegram_does_not_depend_on_those_before_it():
    fresh = {one["name"]: explain(bytes.fromhex(one["hex"])) for one in GOOD}
    for one in reversed(GOOD):
        assert explain(bytes.fromhex(one["hex"])) == fresh[one["name"]]


def test_the_telegram_of_the_documentation_is_one():
    page = (Path(__file__).parents[3] / "docs" / "mbus-records.md").read_text("utf-8")
    lines = page.split("```")[1].strip().splitlines()
    answer = explain(bytes.fromhex("".join(line[:22] for line in lines)))
    assert (answer["header"]["id"], answer["header"]["manufacturer"], answer["more"]) == ("12345678", "PAD", True)
    assert [one["value"] for one in answer["records"]] == ["12345.678", "2007-12-31", None]
