"""The same work by the package ``dlt645`` 3.2.0, for ``dlt645_codec.py``, in an environment of its own.

For each line on stdin it prints one JSON object: microseconds of CPU for each call, milliseconds for a stream, bytes of
one client. The frame comes as hex in the first argument.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

CALLS = 2_000
STREAM_BYTES = 1 << 20
IDENTIFIER_BYTES, VALUE_BYTES = 4, 4


def cpu_us(work: Callable[[], object], calls: int = CALLS) -> float:
    """Microseconds of CPU per call."""
    began = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - began) / calls * 1e6


def split(protocol: Any, stream: bytes) -> int:
    """How its clients take frames from a stream: the rest of each is the input of the next."""
    rest, count = stream, 0
    while True:
        rest, frame = protocol.deserialize_with_remaining(rest)
        if frame is None:
            return count
        count += 1


def client_bytes() -> int:
    """What one more client keeps."""
    client = importlib.import_module("dlt645.service.clientsvc.client_service").MeterClientService
    client(None)
    tracemalloc.start()
    kept = client(None)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used if kept else 0


def main() -> None:
    """Answer each line with one round."""
    protocol = importlib.import_module("dlt645.protocol.protocol").DLT645Protocol
    to_number = importlib.import_module("dlt645.common.transform").bcd_to_float
    importlib.import_module("loguru").logger.remove()
    raw = bytes.fromhex(sys.argv[1])
    answer, address, data = bytearray(raw), bytearray(raw[1:7]), bytearray(bytes(IDENTIFIER_BYTES))
    stream = raw * (STREAM_BYTES // len(raw))

    def decode() -> object:
        frame = protocol.deserialize(answer)
        return to_number(frame.data[IDENTIFIER_BYTES : IDENTIFIER_BYTES + VALUE_BYTES], "XXXXXX.XX", "little")

    for number, _ in enumerate(sys.stdin):
        found = {
            "decode": cpu_us(decode),
            "encode": cpu_us(lambda: protocol.build_frame(address, 0x11, data, 0)),
        }
        if number == 0:
            found |= {"stream_ms": cpu_us(lambda: split(protocol, stream), 1) / 1000, "client": client_bytes()}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
