"""G12: durable orders one after another and 256 at once, against the rate at which this disk flushes appended bytes.

    python bench/money.py [SECONDS]

An order is one transaction of the real room of money: order, outbox row, unique keys. A settled payment is one too:
payment, ledger lines, balances, order, delivery, outbox.
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
ACCOUNTS = 3_000
"""Each takes few orders that wait to be paid."""
WHO = ("acme", "M1", "court")


def flushes_per_s(folder: Path, seconds: float) -> float:
    """How often 4 KiB can be appended and flushed, one after the other."""
    count, began = 0, time.perf_counter()
    with (folder / "floor").open("wb") as file:
        while time.perf_counter() - began < seconds:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / (time.perf_counter() - began)


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

        floor = flushes_per_s(folder, seconds)
        one = await rate(order, 1, seconds)
        many = await rate(order, AT_ONCE, seconds)
        settled = await rate(paid, AT_ONCE, seconds)
        await store.close()
    print(f"fdatasync of 4 KiB            {floor:9.0f} /s   load {os.getloadavg()[0]:.1f}")
    print(f"orders, one after another     {one:9.0f} /s   {one / floor:5.2f} x the disk   (goal >= 0.50)")
    print(f"orders, {AT_ONCE} at once           {many:9.0f} /s   {many / one:5.1f} x sequential (goal >= 6)")
    print(f"order, attempt and settlement {settled:9.0f} /s   {AT_ONCE} at once")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
