"""DL/T 645: decode to a typed value, encode a read, split streams; against a floor, and against a peer if installed.

The floor is the least plain Python that checks and decodes the same frame. The peer is the package ``dlt645`` 3.2.0
(another package has the same import name; this one has ``dlt645.protocol``), installed beside the bench only. CPU
time; ours, floor and peer alternate within a round; median of the rounds' ratios. Goals: decode at most 1.5 times the
floor, encode at least four times the peer, 1 MiB of frames in at most 50 ms, 64 KiB of 68 in at most 25 ms, a
configured meter under 4 kB.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

import meterhub_dlt645
from meterhub.clock import Clock
from meterhub.config.loader import load
from meterhub.devices.device import Device
from meterhub.devices.profile_file import build_profile
from meterhub_dlt645 import decode_frame, encode_read
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.frame import MINUS_33, build
from meterhub_dlt645.protocol import Dlt645

ROUNDS, CALLS = 9, 40_000
ANSWER = build("000000000161", 0x91, bytes.fromhex("0000010078563412"), "2007").raw
BLOCK = build("000000000161", 0x91, bytes.fromhex("00FF0100" + "78563412" * 5), "2007").raw
MIB, HOSTILE = 1 << 20, b"\x68" * 65_536


def floor_decode(raw: bytes) -> tuple[str, str, int]:
    """Find, check, address text, identifier, value as a scaled integer."""
    at = raw.find(b"\x68")
    end = at + raw[at + 9] + 12
    if raw[at + 7] != 0x68 or raw[end - 1] != 0x16 or sum(raw[at : end - 2]) & 0xFF != raw[end - 2]:
        raise ValueError
    data = raw[at + 10 : end - 2].translate(MINUS_33)
    text = data[:3:-1].hex()
    if not text.isdigit():
        raise ValueError
    return raw[at + 6 : at : -1].hex(), data[3::-1].hex(), int(text)


def our_decode() -> object:
    """A checked frame with address, identifier and value."""
    frame = decode_frame(ANSWER, "2007")
    return frame.address, frame.identifier, frame.value


def fast_decode() -> object:
    """The frame's value alone, as a poll takes it: the matcher has compared address and identifier as bytes."""
    return decode_frame(ANSWER, "2007").value


def cpu_us(work: Callable[[], object], calls: int = CALLS) -> float:
    """Microseconds of CPU per call."""
    began = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - began) / calls * 1e6


def split(stream: bytes) -> Callable[[], int]:
    """Feed a stream as links do, in segments of 4 KiB, and count the frames."""

    def work() -> int:
        codec, count = Dlt645Codec(), 0
        for at in range(0, len(stream), 4096):
            codec.receive(stream[at : at + 4096])
            while codec.next_frame() is not None:
                count += 1
        return count

    return work


def peer() -> tuple[Callable[[], object], Callable[[], object]] | None:
    """Decode and encode of the peer, or None where it is not installed."""
    try:
        protocol = importlib.import_module("dlt645.protocol.protocol").DLT645Protocol
    except (ImportError, AttributeError):
        return None
    address, data = bytearray(bytes.fromhex("610100000000")), bytearray(bytes.fromhex("00000100"))
    answer = bytearray(ANSWER)
    return lambda: protocol.deserialize(answer), lambda: protocol.build_frame(address, 0x11, data)


def memory_of_a_meter(count: int = 500) -> float:
    """Bytes of a configured meter with all entities of the shipped single-phase profile."""
    path = next(one for one in meterhub_dlt645.register_profiles() if one.stem == "dlt645-2007-single-phase")
    kinds = {kind.name: (kind, Dlt645(kind.name[-4:], Clock())) for kind in meterhub_dlt645.register_protocols()}
    profile = build_profile(load(path), kinds)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [Device(f"m-{number}", "meter", profile, address=f"{number:012d}") for number in range(count)]
    used = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    return used


def main() -> int:
    """Run everything and print one line per figure."""
    other = peer()
    rows: dict[str, list[float]] = {"decode": [], "value": [], "floor": [], "encode": []}
    if other is not None:
        rows |= {"peer decode": [], "peer encode": []}
    for _ in range(ROUNDS):
        rows["floor"].append(cpu_us(lambda: floor_decode(ANSWER)))
        rows["decode"].append(cpu_us(our_decode))
        rows["value"].append(cpu_us(fast_decode))
        rows["encode"].append(cpu_us(lambda: encode_read("000000000161", "00010000")))
        if other is not None:
            rows["peer decode"].append(cpu_us(other[0], CALLS // 8))
            rows["peer encode"].append(cpu_us(other[1], CALLS // 8))
    print(f"load average {os.getloadavg()[0]:.1f}, {ROUNDS} rounds of {CALLS} calls")
    for name, found in rows.items():
        print(f"{name:12} {statistics.median(found):7.3f} us")
    tell("decode / floor", rows["decode"], rows["floor"])
    tell("value / floor", rows["value"], rows["floor"])
    if other is not None:
        tell("peer frame only / our value", rows["peer decode"], rows["value"])
        tell("peer encode / ours", rows["peer encode"], rows["encode"])
    for name, stream in (("1 MiB of frames", ANSWER * (MIB // len(ANSWER))), ("64 KiB of 68", HOSTILE)):
        found = [cpu_us(split(stream), 1) / 1000 for _ in range(ROUNDS)]
        print(f"{name:18} {statistics.median(found):7.1f} ms")
    print(f"a configured meter {memory_of_a_meter():7.0f} bytes")
    return 0


def tell(name: str, ours: list[float], theirs: list[float]) -> None:
    """The median of the ratios of each round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(f"{name:28} {statistics.median(ratios):7.2f}")


if __name__ == "__main__":
    sys.exit(main())
