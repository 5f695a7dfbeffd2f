"""What a meter says of its purse, to the fen."""

from __future__ import annotations

import pytest

from meterhub.money.purse import PurseReading


def test_a_purse_holds_what_it_holds_to_the_fen():
    assert PurseReading(1, "50.00").holds(5000) is True
    assert PurseReading(1, "49.99").holds(5000) is False
    assert PurseReading(1, None).holds(5000) is None


@pytest.mark.parametrize(
    ("count", "last", "differs"), [(1, "50.00", False), (1, "50.01", True), (2, "50.01", False), (1, None, False)]
)
def test_only_the_same_number_over_another_amount_contradicts(count, last, differs):
    assert PurseReading(count, "0.00", last).contradicts(1, 5000) is differs


def test_what_a_meter_tells_is_taken_as_it_is():
    told = PurseReading.of({"count": 3, "balance": "1.50", "last": "2.00"})
    assert told == PurseReading(3, "1.50", "2.00", "yuan")
    assert PurseReading.of({"count": 3, "balance": "1.5", "unit": "m³"}).unit == "m³"
    assert PurseReading.of({"count": "3"}) == PurseReading(None, None, None)
