"""The simulated meter: its values live, fit together, and repeat."""

from __future__ import annotations

from dlt645_models import World, meter, protocol

from meterhub.testing.conformance_protocol import talk
from meterhub_dlt645 import decode_frame, encode_read
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.frame import build

ADDRESS = "000000000161"
PROFILES = ("dlt645-2007-single-phase", "dlt645-2007-three-phase", "dlt645-1997-single-phase")


def twin_of(name="dlt645-2007-single-phase", world=None, address=ADDRESS, **options):
    return protocol(name[7:11]).simulate(meter(name, address, **options), world or World())


def ask(twin, raw: bytes, edition="2007"):
    codec = Dlt645Codec(edition)
    codec.receive(raw)
    answer = twin.answer(codec.next_frame())
    if answer is None:
        return None
    codec.receive(answer)
    return codec.next_frame()


def state(twin, name="dlt645-2007-single-phase"):
    one = meter(name)
    speaker = protocol(name[7:11])
    _, report = talk(speaker, speaker.read(one, list(one.points.values())), twin)
    keys = list(one.points)
    return {keys[index]: value for index, value, _ in report.updated}


def test_energy_grows_by_the_power_that_is_shown():
    world = World()
    twin = twin_of(world=world)
    before = state(twin)
    world.pass_hours(24)
    after = state(twin)
    used = after["energy_total"] - before["energy_total"]
    assert used > 0
    assert sum(after[f"energy_tariff_{number}"] for number in range(1, 5)) == after["energy_total"]
    hours = [before["power"]]
    for _ in range(23):
        world.pass_hours(1)
        hours.append(twin.state.power_w() * 10)
    assert abs(sum(hours) / 100 - used) < used * 0.2


def test_a_limit_is_not_the_reading_it_limits():
    found = state(twin_of())
    assert found["alarm_energy"] == 1000 != found["energy_total"]


def test_current_fits_power_and_voltage():
    found = state(twin_of())
    power_w = found["current"] / 1000 * found["voltage"] / 10 * 0.98
    assert abs(power_w - found["power"] / 10) < 5 + found["power"] / 200


def test_three_phases_add_up():
    found = state(twin_of("dlt645-2007-three-phase"), "dlt645-2007-three-phase")
    assert abs(found["power_a"] + found["power_b"] + found["power_c"] - found["power"]) <= 30
    assert found["current_b"] > 0


def test_an_open_relay_stops_current_and_counting():
    world = World()
    twin = twin_of(world=world)
    before = state(twin)
    twin.state.open_relay()
    world.pass_hours(30)
    opened = state(twin)
    assert opened["relay"] is False and opened["current"] == opened["power"] == 0
    assert opened["energy_total"] == before["energy_total"]
    twin.state.close_relay()
    world.pass_hours(24)
    assert state(twin)["energy_total"] > before["energy_total"]


def test_the_remaining_amount_falls():
    world = World()
    twin = twin_of(world=world)
    before = state(twin)
    world.pass_hours(1)
    after = state(twin)
    spent = before["remaining_energy"] - after["remaining_energy"]
    assert spent == after["energy_total"] - before["energy_total"] or spent < 0
    assert after["remaining_amount"] == after["remaining_energy"] * 55 // 100


def test_two_worlds_of_one_seed_are_alike_and_meters_differ():
    assert state(twin_of()) == state(twin_of())
    other = twin_of(address="000000000162").state
    assert other.energy() != twin_of().state.energy()


def test_a_twin_started_again_goes_on_where_it_was():
    world = World()
    twin = twin_of(world=world)
    world.pass_hours(100)
    assert state(twin)["energy_total"] == state(twin_of(world=world))["energy_total"]


def test_history_never_exceeds_the_present():
    twin = twin_of()
    now = ask(twin, encode_read(ADDRESS, "00010000")).payload
    last = ask(twin, encode_read(ADDRESS, "00010001")).payload
    frozen = ask(twin, encode_read(ADDRESS, "05060101")).payload
    assert len(frozen) == 20
    assert last[::-1] <= frozen[:4][::-1] <= now[::-1]


def test_manners():
    twin = twin_of()
    assert ask(twin, encode_read("000000000162", "00010000")) is None
    assert ask(twin, encode_read("AAAAAAAAAAAA", "00010000")).address == ADDRESS
    assert ask(twin, encode_read("AAAAAAAA0161", "00010000")).address == ADDRESS
    assert ask(twin, build("AAAAAAAAAAAA", 0x13).raw).data == bytes.fromhex(ADDRESS)[::-1]
    unknown = ask(twin, encode_read(ADDRESS, "00FE1234"))
    assert (unknown.control, unknown.data) == (0xD1, b"\x02")
    assert ask(twin, encode_read(ADDRESS, "02010200")).control == 0xD1
    assert ask(twin, encode_read(ADDRESS, "0201FF00")).payload[2:] == b"\xff" * 4
    assert ask(twin, build("999999999999", 0x08, bytes(6)).raw) is None
    assert ask(twin, build(ADDRESS, 0x1C, b"\x02\x11" + bytes(14)).raw).data == b"\x04"
    assert 0.02 <= twin.turnaround_s <= 0.12


def test_manners_of_1997():
    twin = twin_of("dlt645-1997-single-phase")
    read = encode_read("999999999999", "C032", "1997")
    assert ask(twin, read, "1997").payload == bytes.fromhex(ADDRESS)[::-1]
    assert len(ask(twin, encode_read(ADDRESS, "901F", "1997"), "1997").payload) == 20
    assert ask(twin, encode_read(ADDRESS, "E123", "1997"), "1997").control == 0xC1


def test_old_commands_and_keep_power_are_refused():
    twin = twin_of()
    past = bytes.fromhex("02000000000000001A00000000010120")
    assert ask(twin, build(ADDRESS, 0x1C, past).raw).control == 0xDC
    later = bytes.fromhex("000000010199")
    command = bytes.fromhex("0200000000000000")
    assert ask(twin, build(ADDRESS, 0x1C, command + b"\x3a\x00" + later).raw).control == 0x9C
    assert ask(twin, build(ADDRESS, 0x1C, command + b"\x1a\x00" + later).raw).control == 0xDC
    assert ask(twin, build(ADDRESS, 0x1C, command + b"\x3b\x00" + later).raw).control == 0x9C
    assert ask(twin, build(ADDRESS, 0x1C, command + b"\x1a\x00" + later).raw).control == 0x9C


def test_a_timed_trip_closes_by_itself():
    world = World()
    twin = twin_of(world=world)
    data = bytes.fromhex("02000000000000001E02000000010199")
    assert ask(twin, build(ADDRESS, 0x1C, data).raw).control == 0x9C
    assert twin.state.relay_open
    world.now += 11 * 60_000
    assert not twin.state.relay_open


def test_knobs():
    twin = twin_of()
    read = encode_read(ADDRESS, "00010000")
    twin.corrupt_next = True
    assert ask(twin, read) is None
    assert ask(twin, read) is not None
    twin.refuse.add("00010000")
    assert ask(twin, read).control == 0xD1
    twin.silent = True
    assert ask(twin, read) is None
    codec = Dlt645Codec()
    codec.receive(twin.push())
    assert codec.next_frame().identifier == "80808080"


def frames_in(data: bytes) -> list:
    codec = Dlt645Codec()
    codec.receive(data)
    return list(iter(codec.next_frame, None))


def test_deviations_of_real_meters():
    twin = twin_of()
    block, energy = encode_read(ADDRESS, "0001FF00"), encode_read(ADDRESS, "00010000")
    heard = twin.answer(decode_frame(block, "2007"))
    twin.preamble, twin.ends_blocks = 4, True
    ended = twin.answer(decode_frame(block, "2007"))
    assert ended.startswith(b"\xfe" * 4 + b"\x68") and len(ended) == len(heard) + 5
    assert frames_in(ended)[0].payload[-1] == 0xAA
    twin.preamble, twin.late_next = 0, True
    assert twin.answer(decode_frame(block, "2007")) is None
    assert [one.identifier for one in frames_in(twin.answer(decode_frame(energy, "2007")))] == ["0001FF00", "00010000"]


def test_reasons_in_two_bytes():
    twin = twin_of()
    twin.tells_why = twin.state.keep_power = True
    open_now = bytes.fromhex("02000000 00000000 1A00 595923311299")
    refusal = frames_in(twin.answer(build(ADDRESS, 0x1C, open_now, "2007")))[0]
    assert refusal.refused and refusal.data == b"\x20\x00"
