"""The search of a line against slaves that collide as real ones do."""

from __future__ import annotations

import pytest
from mbus_slaves import PlainSlave, crowd

from meterhub.errors import LinkDown, NoAnswer
from meterhub.field.dialogue import Ask
from meterhub_mbus.codec import MbusCodec
from meterhub_mbus.search import LineSearch


class Bus:
    """Slaves on one wire, spoken to without a loop: overlapping answers garble, equal acknowledgements do not."""

    def __init__(self, *slaves: PlainSlave) -> None:
        self.slaves = slaves
        self.questions = 0

    def exchange(self, ask: Ask):
        """The frame that answers, or the error that a line would throw."""
        answers = []
        for _ in range(ask.tries or 3):
            self.questions += 1
            answers = [said for one in self.slaves if (said := one.answer(ask.frame)) is not None]
            if ask.match is None:
                return None
            codec, heard = MbusCodec(), overlapped(answers)
            codec.receive(heard)
            while (frame := codec.next_frame()) is not None:
                if ask.match(frame):
                    return frame
        return NoAnswer("no answer", heard=len(overlapped(answers)))

    def run(self, search: LineSearch, cut_after: int | None = None) -> None:
        """The search until it ends; with ``cut_after`` the link breaks after so many questions."""
        dialogue = search.dialogue()
        try:
            ask = next(dialogue)
            while True:
                if cut_after is not None and self.questions >= cut_after:
                    dialogue.throw(LinkDown("cut"))
                reply = self.exchange(ask)
                ask = dialogue.throw(reply) if isinstance(reply, Exception) else dialogue.send(reply)
        except (StopIteration, LinkDown):
            return


def overlapped(answers: list[bytes]) -> bytes:
    """What is heard of answers at the same time: a zero bit of any is a zero."""
    whole = bytearray(b"\xff" * max(map(len, answers), default=0))
    for answer in answers:
        for at, byte in enumerate(answer):
            whole[at] &= byte
    return bytes(whole)


def addresses(search: LineSearch) -> list[str]:
    return sorted(one["address"] for one in search.found)


def searched(*slaves: PlainSlave) -> LineSearch:
    search = LineSearch(lambda identity: f"medium-{identity[7]:02X}")
    Bus(*slaves).run(search)
    return search


def test_an_empty_line_is_found_empty():
    search = searched()
    assert not search.found and not search.unresolved and search.percent == 100


def test_one_meter_is_found_at_the_first_question_and_proven():
    search = searched(PlainSlave("12345678-PAD-01-07", 5))
    assert search.found[0] | {"identity": b""} == {
        "address": "12345678-PAD-01-07",
        "edition": "EN 13757",
        "profile": "medium-07",
        "identity": b"",
        "maker": "PAD",
        "also": ("5",),
    }
    assert len(search.found) == 1


def test_numbers_that_differ_in_one_digit_and_with_hex_digits_are_told_apart():
    wanted = [
        "12345678-PAD-01-07",
        "12345679-PAD-01-07",
        "050002E5-ACW-0B-02",
        "050002E6-ACW-0B-02",
        "A0000000-KAM-01-04",
    ]
    assert addresses(searched(*map(PlainSlave, wanted))) == sorted(wanted)


def test_the_same_number_of_two_makers_and_of_two_media():
    wanted = [
        "12345678-PAD-01-07",
        "12345678-KAM-01-07",
        "12345678-PAD-01-06",
        "00000001-KAM-01-04",
        "00000002-PAD-01-04",
    ]
    slaves = [PlainSlave(one, 0, f"0C13 {number:02d}000000") for number, one in enumerate(wanted)]
    assert addresses(searched(*slaves)) == sorted(wanted)


def test_all_eight_bytes_alike_are_told_apart_by_the_fabrication_number():
    twins = [PlainSlave(f"12345678-PAD-01-07#0102030{number}", number) for number in (4, 5)]
    found = addresses(searched(*twins))
    assert len(found) == 2 and all(one.startswith("12345678-PAD-01-07#0") for one in found)


def test_what_cannot_be_told_apart_is_reported_and_ends():
    twins = [PlainSlave("12345678-PAD-01-07#01020304", 1), PlainSlave("12345678-PAD-01-07#01020304", 2)]
    for one in twins:
        one.knows_fabrication = False
        one.access = twins.index(one)
    search = searched(*twins)
    assert search.unresolved == ["12345678-*-01-07"] and search.percent == 100


def test_a_meter_without_secondary_address_is_found_by_its_primary_one():
    old = PlainSlave("00000000", 17)
    old.secondary = b"\xff" * 8
    old._select = lambda data: None
    assert addresses(searched(old, PlainSlave("12345678-PAD-01-07", 18))) == ["12345678-PAD-01-07", "17"]


@pytest.fixture(scope="module")
def the_crowd():
    return crowd(250)


def test_250_meters_are_all_found_with_numbers_used_twice(the_crowd):
    search = searched(*the_crowd)
    wanted = {str(one) for one in (slave_name(slave) for slave in the_crowd)}
    assert {address.split("#")[0] for address in addresses(search)} == wanted
    assert len(search.found) == 250 and search.percent == 100


def slave_name(slave: PlainSlave) -> str:
    from meterhub_mbus.address import shown

    return shown(slave.secondary)


def test_a_search_that_is_cut_goes_on_where_it_was():
    slaves = crowd(40)
    whole, cut = Bus(*slaves), Bus(*slaves)
    search = LineSearch(lambda identity: "")
    whole.run(search)
    again = LineSearch(lambda identity: "")
    percents = []
    while again.percent < 100:
        cut.run(again, cut_after=cut.questions + 40)
        percents.append(again.percent)
    assert addresses(again) == addresses(search) and percents == sorted(percents) and len(percents) > 5
    assert cut.questions - whole.questions <= 4 * len(percents), "nothing but the interrupted question is asked again"
