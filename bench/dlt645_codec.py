"""DL/T 645: decode to a typed value, encode a read, split streams; against a floor and a peer.

The floor is the least plain Python that checks and decodes the same frame. The peer is the package ``dlt645`` 3.2.0
(another package has the same import name), in an environment of its own that the first run makes in ``bench/out``. CPU
time; ours, floor and peer alternate within a round; median of the rounds' ratios. Goals: decode at most 1.5 times the
floor and six times the peer, encode four times the peer, 1 MiB of frames in at most 50 ms, 64 KiB of 68 in at most
25 ms, a configured meter under 4 kB.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
PEER, PEER_HOME = "dlt645==3.2.0", Path(__file__).parent / "out" / "peer-dlt645"


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
    """A checked frame with address and identifier as texts and its value: what the floor makes, too."""
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


class Peer:
    """The peer in its own process; ``round`` measures once. Without a package index it stays away."""

    def __init__(self) -> None:
        python = PEER_HOME / "bin" / "python"
        if not python.exists():
            venv.create(PEER_HOME, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", PEER], check=False)
        self.lacks = subprocess.run([python, "-c", "import dlt645"], check=False, capture_output=True).returncode != 0
        self._process: subprocess.Popen[str] | None = None
        if not self.lacks:
            command = [python, Path(__file__).with_name("_dlt645_peer.py"), ANSWER.hex()]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self) -> dict[str, Any]:
        """One round: ``decode`` and ``encode`` in microseconds; the first one has ``stream_ms`` and ``client``, too."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return {}
        process.stdin.write("round\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        return found

    def close(self) -> None:
        """End its process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


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
    peer = Peer()
    rows: dict[str, list[float]] = {"floor": [], "decode": [], "value": [], "encode": []}
    theirs: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        rows["floor"].append(cpu_us(lambda: floor_decode(ANSWER)))
        rows["decode"].append(cpu_us(our_decode))
        rows["value"].append(cpu_us(fast_decode))
        rows["encode"].append(cpu_us(lambda: encode_read("000000000161", "00010000")))
        theirs.append(peer.round())
    peer.close()
    print(f"load average {os.getloadavg()[0]:.1f}, {ROUNDS} rounds of {CALLS} calls")
    for name, found in rows.items():
        print(f"{name:28} {statistics.median(found):7.3f} us")
    tell("decode / floor", rows["decode"], rows["floor"])
    tell("value / floor", rows["value"], rows["floor"])
    if peer.lacks:
        print(f"the peer {PEER} could not be installed")
    else:
        for name, ours in (("decode", "value"), ("encode", "encode")):  # its decode makes a checked frame and a value
            print(f"peer {name:23} {statistics.median(one[name] for one in theirs):7.3f} us")
            tell(f"peer {name} / our {ours}", [one[name] for one in theirs], rows[ours])
        print(f"peer, 1 MiB of frames        {theirs[0]['stream_ms']:7.1f} ms")
        print(f"peer, a client               {theirs[0]['client']:9} bytes")
    for name, stream in (("1 MiB of frames", ANSWER * (MIB // len(ANSWER))), ("64 KiB of 68", HOSTILE)):
        spent = [cpu_us(split(stream), 1) / 1000 for _ in range(ROUNDS)]
        print(f"{name:28} {statistics.median(spent):7.1f} ms")
    print(f"a configured meter           {memory_of_a_meter():9.0f} bytes")
    return 0


def tell(name: str, ours: list[float], theirs: list[float]) -> None:
    """The median of the ratios of each round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(f"{name:28} {statistics.median(ratios):7.2f}")


if __name__ == "__main__":
    sys.exit(main())
