"""G12: durable orders one after another and 256 at once, against the rate at which this disk flushes appended bytes.

    python bench/money.py [SECONDS]

An order is one transaction of the real room of money: order, outbox row, unique keys. A settled payment is one too:
payment, ledger lines, balances, order, delivery, outbox. Last, 300 orders a second come at even intervals from another
process while 150,000 readings a second, of 10,000 meters with eight quantities, are stored in the other file by the
same process: how long one takes from its moment on, against how long it takes to append and flush 4 KiB with nothing
else at work, as fast as it goes. The same 300 times a second is shown beside, alone (a disk that was idle takes longer)
and from another process while the readings are stored: what remains of the orders' time is ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path

import uvloop

from meterhub.clock import Clock
from meterhub.money.accounts import Opening
from meterhub.money.asking import Answer
from meterhub.money.evidence import Evidence, Source
from meterhub.money.merchants import Merchants
from meterhub.money.orders import Wish, create_attempt
from meterhub.money.policy import Policy
from meterhub.money.room import Money, Outside
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import Mode
from meterhub.store.sqlite import SqliteStore

AT_ONCE = 256
ACCOUNTS = 10_000
"""Each takes few orders that wait to be paid."""
WHO = ("acme", "M1", "court")


PACE, READINGS_PER_S, BATCH, SERIES = 300, 150_000, 1_024, 80_000
"""A batch is no multiple of the pace, so that orders meet readings at every moment of a batch, and not at one alone."""


def flushes(folder: Path, seconds: float, pace: int = 0) -> list[float]:
    """How long it takes to append 4 KiB and flush them, so many a second or one after the other; sorted."""
    found, began = [], time.perf_counter()
    with (folder / "floor").open("wb") as file:
        while time.perf_counter() - began < seconds:
            if pace:
                time.sleep(max(0.0, began + len(found) / pace - time.perf_counter()))
            start = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            found.append(time.perf_counter() - start)
    return sorted(found)


def p99_ms(times: list[float]) -> float:
    """What 99 of 100 stay under, in milliseconds."""
    return sorted(times)[int(0.99 * len(times))] * 1000


def call(seconds: float) -> None:
    """The other process: say at even intervals that an order comes, and when its moment was."""
    began = time.perf_counter_ns()
    for number in range(int(seconds * PACE)):
        moment = began + number * 1_000_000_000 // PACE
        time.sleep(max(0.0, (moment - time.perf_counter_ns()) / 1e9))
        os.write(1, moment.to_bytes(8, "little"))


async def paced(do: Callable[[int], Awaitable[object]], seconds: float) -> list[float]:
    """Begin ``PACE`` calls a second, whether those before are over or not; how long each took from its moment on."""
    found: list[float] = []
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--call", str(seconds), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def one(number: int, moment: int) -> None:
        await do(number)
        found.append((time.perf_counter_ns() - moment) / 1e9)

    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * PACE)):
            moment = int.from_bytes(await process.stdout.readexactly(8), "little")
            group.create_task(one(number, moment))
    await process.wait()
    return found


async def flushes_beside(folder: Path, seconds: float) -> list[float]:
    """``flushes`` at the pace of the orders, in another process."""
    command = (sys.executable, __file__, "--flush", str(folder), str(seconds))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    return [float(one) for one in printed.split()]


async def ingest(store: SqliteStore, numbers: list[int], stop: asyncio.Event) -> int:
    """Store readings at their pace until told to stop, meter after meter; returns how many were committed."""
    began, clock, done = time.perf_counter(), Clock(), 0
    while not stop.is_set():
        await asyncio.sleep(max(0.0, began + done / READINGS_PER_S - time.perf_counter()))
        now_ms, at = clock.now(), done % SERIES
        await store.record([(one, now_ms, done, 0) for one in numbers[at : at + BATCH]])
        done += BATCH
    return done


async def rate(do: Callable[[int], Awaitable[object]], at_once: int, seconds: float) -> float:
    """How often ``do(n)`` is done in a second by so many callers."""
    numbers = iter(range(10**9))
    count, began = 0, time.perf_counter()

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await do(next(numbers))
            count += 1

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return count / (time.perf_counter() - began)


async def silent(*asked: object) -> Answer:
    """No meter is there: deliveries stay planned."""
    return Answer(code="link_down", message="no meter", sent=False)


async def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder, clock = Path(name), Clock()
        store = await SqliteStore.open(folder / "data", clock)

        def spawn(owner: str, coroutine: object) -> None:
            raise RuntimeError("nothing is carried out here")

        outside = Outside(silent, spawn, Merchants(), lambda *given: None, folder / "proofs", "", UTC)
        money = Money(store, clock, Policy(), outside)
        meters = [f"m{number}" for number in range(ACCOUNTS)]
        places = [Opening(one, "main", "main/main", Mode.METER, one, "bench") for one in meters]
        await asyncio.gather(*(money.counter.open_account(one) for one in places))

        async def order(number: int) -> dict[str, object]:
            account = f"m{number % ACCOUNTS}-1"
            return await money.order(Wish(account, 5000, f"{time.perf_counter_ns()}-{number}", "bench"))

        async def paid(number: int) -> None:
            no = str((await order(number))["no"])
            await store.transact(lambda tx: create_attempt(tx, no, WHO, "qr", clock.now()))
            statement = PaymentStatement(f"{no}00", PaymentState.PAID, 5000, f"T{no}")
            await money.settle(Evidence(*WHO, Source.NOTICE, statement))

        alone, idle = flushes(folder, seconds), flushes(folder, seconds, PACE)
        floor = len(alone) / sum(alone)
        one = await rate(order, 1, seconds)
        many = await rate(order, AT_ONCE, seconds)
        settled = await rate(paid, AT_ONCE, seconds)
        quiet = await paced(order, seconds)
        series = await store.series(f"m{number // 8}.q{number % 8}" for number in range(SERIES))
        stop, began = asyncio.Event(), time.perf_counter()
        storing = asyncio.ensure_future(ingest(store, list(series.values()), stop))
        beside = await paced(order, seconds)
        disk = await flushes_beside(folder, seconds)
        stop.set()
        readings = await storing / (time.perf_counter() - began)
        await store.close()
    print(f"fdatasync of 4 KiB            {floor:9.0f} /s   load {os.getloadavg()[0]:.1f}")
    print(f"orders, one after another     {one:9.0f} /s   {one / floor:5.2f} x the disk   (goal >= 0.50)")
    print(f"orders, {AT_ONCE} at once           {many:9.0f} /s   {many / one:5.1f} x sequential (goal >= 6)")
    print(f"order, attempt and settlement {settled:9.0f} /s   {AT_ONCE} at once")
    print(f"append and flush, alone   p99 {p99_ms(alone):9.2f} ms")
    print(f"... {PACE} a second, alone   p99 {p99_ms(idle):9.2f} ms")
    print(f"... beside the readings   p99 {p99_ms(disk):9.2f} ms")
    print(f"{PACE} orders/s alone      p99 {p99_ms(quiet):9.2f} ms")
    ratio = p99_ms(beside) / p99_ms(alone)
    print(f"... {readings:6.0f} readings/s    p99 {p99_ms(beside):9.2f} ms  {ratio:5.1f} x the flush  (goal <= 10)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--call"]:
        call(float(sys.argv[2]))
    elif sys.argv[1:2] == ["--flush"]:
        print(*flushes(Path(sys.argv[2]), float(sys.argv[3]), PACE))
    else:
        uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
