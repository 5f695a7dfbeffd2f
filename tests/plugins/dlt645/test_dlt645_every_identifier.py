"""Every identifier of both catalogues, read from a simulated meter, and written and read back where it can be."""

from __future__ import annotations

import itertools

import pytest
from dlt645_models import CLOCK, World, meter, protocol

from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645 import encode_read
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.formats import Ascii, Bits, Digits, Moment, Raw
from meterhub_dlt645.frame import build
from meterhub_dlt645.registers import read_register, write_register

MODELS = {"2007": "dlt645-2007-three-phase", "1997": "dlt645-1997-single-phase"}


def identifiers(edition):
    """Each row with all of its identifiers, and the block over each variable."""
    for row in catalogue(edition).rows:
        for numbers in itertools.product(*(range(one.least, one.most + 1) for one in row.variables)):
            yield row, filled(row, numbers)
        for block in row.variables:
            numbers = [one.mask if one is block else one.least for one in row.variables]
            yield row, filled(row, numbers)


def filled(row, numbers):
    identifier = row.pattern
    for one, number in zip(row.variables, numbers, strict=True):
        identifier = identifier.replace(one.name, f"{number:0{len(one.name)}X}")
    return identifier


def twin_and_meter(edition):
    one = meter(MODELS[edition])
    twin = protocol(edition).simulate(one, World())
    twin.state.phases = 3
    return one, twin


@pytest.mark.parametrize("edition", MODELS)
def test_every_identifier_answers(edition, capsys):
    one, twin = twin_and_meter(edition)
    speaker = protocol(edition)
    asked = values = 0
    for row, identifier in identifiers(edition):
        if row.access in ("w", "cmd"):
            continue
        layout = catalogue(edition).find(identifier)
        assert layout is not None, identifier
        params = {"register": identifier}
        _, reply = talk(speaker, read_register(one, edition, CLOCK, params), twin)
        asked += 1
        found = reply.detail["values"]
        values += len(found)
        assert reply.detail["identifier"] == identifier
        assert (found and all(value["valid"] for value in found)) or layout.kind == "none", (identifier, found)
    with capsys.disabled():
        print(f"\n{edition}: {asked} identifiers read from the twin, {values} values")


def sample(form):
    if isinstance(form, Moment):
        texts = ("2026-03-04T05:06:07", "03-04 05:06:07", "2026-03-04", "05:06:07", "05:06")
        texts += ("05:06 02", "03-04 02", "04 05:00", "03-04", "03-04 05:06", "2026-03-04T05:06", "2026-03-04 02")
        for text in texts:
            for candidate in (text, text[:16], text[:13], text[:5]):
                try:
                    form.encode(candidate)
                except Exception:  # noqa: BLE001 - the next one may fit
                    continue
                return candidate
        raise AssertionError(form.text)
    if isinstance(form, Ascii):
        return "A1"[: form.size]
    if isinstance(form, Digits):
        return "1" * 2 * form.size
    if isinstance(form, Bits):
        return "01"
    if isinstance(form, Raw):
        return "1A" * form.size
    return form.show(1)


@pytest.mark.parametrize("edition", MODELS)
def test_every_writable_identifier_is_written_and_read_back(edition, capsys):
    speaker = protocol(edition)
    written = 0
    for row, identifier in identifiers(edition):
        layout = catalogue(edition).find(identifier)
        if "w" not in row.access or layout.kind != "fields":
            continue
        one, twin = twin_and_meter(edition)
        if identifier == "04000401":
            continue  # the meter answers elsewhere then; meter.set_address
        value = ",".join(sample(field.format) for field in layout.fields)
        params = {"register": identifier, "value": value}
        _, reply = talk(speaker, write_register(one, edition, CLOCK, params), twin)
        assert reply.detail["verified"] is ("r" in row.access), identifier
        written += 1
    with capsys.disabled():
        print(f"\n{edition}: {written} identifiers written, read back and compared")


def test_an_unknown_identifier_is_refused():
    _, twin = twin_and_meter("2007")
    codec = protocol().codec()
    codec.receive(encode_read("000000000161", "00FE1234"))
    codec.receive(twin.answer(codec.next_frame()))
    assert codec.next_frame().refused
    assert twin.answer(build("000000000162", 0x11, bytes(4))) is None
