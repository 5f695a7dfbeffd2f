"""The hub is stopped before and after every commit and every await of the money rooms: nothing is short or doubled."""

from __future__ import annotations

import ast
import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from bank import Purse
from stops import Stopped, StoppingStore, Stops
from till_house import Till

from meterhub.errors import MeterHubError
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import PaymentState
from meterhub.money.states import Mode

ROOMS = Path(__file__).parents[3] / "core" / "meterhub" / "money"

OUTSIDE = {
    "query", "transact", "create", "close", "refund", "query_refund", "_ask", "bill",
}  # fmt: skip
"""Awaited things that are not of the room itself. The store, the company and the meters of these tests trip at each."""
WAITING = {"wait", "sleep", "to_thread"}
"""Awaited things at which nothing of the outside world happens."""


async def recharge(till):
    """A tenant pays, and goes on after any stop: the same key, the same order; the company repeats its notice."""
    order = await till.order()
    no = f"{order['no']}00"
    if till.company.trades.get(no) is None or till.company.trades[no].state is not PaymentState.PAID:
        await till.start(order)
        till.company.pay(no, till.clock.now())
    await till.notify(no)
    await till.until_quiet(20)
    return order["no"]


async def recharge_with_lost_answers(till):
    """As before, but an answer of the meter is lost, and so is one of the company."""
    if not till.meters.asked:
        till.meters.fail["meter.credit"] = ["after"]
        till.company.fail["query"] = ["after", None]
    return await recharge(till)


async def unnoticed(till):
    """The company's notices never come: asking must find the payment."""
    order = await till.order()
    no = f"{order['no']}00"
    if till.company.trades.get(no) is None or till.company.trades[no].state is not PaymentState.PAID:
        await till.start(order)
        till.company.pay(no, till.clock.now())
    await till.until_quiet(20)
    return order["no"]


async def recharge_and_give_back(till):
    """Credit on the server is paid and given back; the manager presses the button until it says so."""
    no = await recharge(till)
    if not await till.rows("select 1 from refunds"):
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.refund(RefundWish(payment["id"], 5000, "moved out"), "user:anna")
    await till.until_quiet(20)
    return no


async def recharge_and_take_out(till):
    """Credit in the meter is taken out again and its money given back; an answer of the meter is lost on the way."""
    no = await recharge(till)
    taken = await till.rows("select 1 from deliveries where takes_back = 1")
    if not taken and await till.state(no) == "fulfilled":
        till.meters.fail["meter.refund"] = ["after"]
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.refund(RefundWish(payment["id"], 5000, "moved out", True), "user:anna")
    await till.until_quiet(20)
    return no


async def cash(till):
    """A manager sells for cash, and presses the button again after a stop."""
    from meterhub.money.orders import Wish

    order = await till.money.counter.sell_for_cash(Wish("a-101-1", 5000, "k1", "user:anna"))
    await till.until_quiet(20)
    return order["no"]


async def used_up(till):
    """Credit on the server is used up, and the supply goes; a new payment brings it back."""
    await till.money.counter.charge("a-101-1", "day/1", 100)
    await till.until_quiet(20)
    return await recharge(till)


SCENES = {
    "recharge": (recharge, Mode.METER, True),
    "lost answers": (recharge_with_lost_answers, Mode.METER, True),
    "unnoticed": (unnoticed, Mode.METER, True),
    "no count": (recharge, Mode.METER, False),
    "given back": (recharge_and_give_back, Mode.SERVER, True),
    "taken out": (recharge_and_take_out, Mode.METER, True),
    "taken out, no count": (recharge_and_take_out, Mode.METER, False),
    "cash": (cash, Mode.METER, True),
    "used up": (used_up, Mode.SERVER, True),
}


@pytest.fixture
def folder(tmp_path):
    """In memory where that can be had: these stops are not the power's, and hundreds of folders are opened."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


async def make_template(folder, clock, mode, counted):
    """A data folder with an account, to begin from."""
    till = await Till(folder / "template", clock).open()
    await till.account(mode=mode, counted=counted)
    await till.close()
    return folder / "template"


async def play(till, scene):
    """Run a scene until it ends or the power goes."""
    try:
        await scene(till)
        await till.until_quiet(1000)
    except Stopped:
        pass
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", SCENES)
async def test_stopped_anywhere_money_is_neither_short_nor_doubled(name, folder, clock):
    scene, mode, counted = SCENES[name]
    template = await make_template(folder, clock, mode, counted)
    points, number = [None], 0
    while number < len(points):
        run = folder / f"run{number}"
        shutil.copytree(template, run)
        stops = Stops(points[number])
        till = Till(run, clock, trip=stops.trip)
        till.meters.purses["a-101"] = Purse(counted)
        await till.open(lambda store, stops=stops: StoppingStore(store, stops.trip))
        await play(till, scene)
        await till.close()
        points += [point for point in stops.points if point not in points]
        till.errors = [(owner, error) for owner, error in till.errors if not isinstance(error, Stopped)]
        stops.heal()
        await till.open()
        try:
            order_no = await scene(till)
        except MeterHubError as error:
            pytest.fail(f"{name}, stopped at {points[number]}: {error}")
        await till.until_quiet(4 * 3600)
        await check(till, order_no, f"{name}, stopped at {points[number]}")
        await till.close()
        assert till.errors == []
        shutil.rmtree(run)
        number += 1
    tried = {label.split(" of ")[0] for label, _ in points[1:]}
    assert {"before commit", "after commit"} <= tried and len(points) > 20
    if mode is Mode.METER:
        assert {"before meter.credit", "after meter.credit"} <= tried


async def check(till, order_no, where):
    """Payments = ledger = meters, and nothing waits without a name."""
    books = await till.books()
    purse = till.meters.purses["a-101"]
    delivery = await till.rows("select * from deliveries where order_no = ? order by id", order_no)
    state = await till.state(order_no)
    cases = await till.cases()
    assert await till.real.query("ledger.unequal", {"operator": "main"}) == [], where
    assert sum(books.values()) == 0, where
    assert -sum(fen for book, fen in books.items() if book.startswith("clearing/acme")) == till.company.money(), where
    if delivery and delivery[-1]["state"] == "unknown":
        assert not purse.counted and cases == ["uncertain_delivery"], where
        assert len(purse.ledger) <= len(delivery), where
        return
    assert cases == [], where
    assert state in ("fulfilled", "refunded"), where
    assert sum(fen for _, fen in purse.ledger) == books.get("meter/a-101-1", 0), where
    assert len(purse.ledger) == len(delivery), where
    waiting = await till.rows("select kind, error from outbox where state = 'waiting' and kind <> 'proof'")
    assert waiting == [], where
    (account,) = await till.rows("select * from money_accounts")
    if account["mode"] == "server" and account["supply"]:
        assert till.meters.relays["a-101"] == account["supply"] == ("on" if state == "fulfilled" else "off"), where


def test_no_await_of_the_rooms_escapes_the_stops():
    """Whoever adds an await on something new must let the stores and companies of these tests stop there."""
    own = {
        node.name
        for path in ROOMS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
    }
    awaited = {
        getattr(node.value.func, "attr", getattr(node.value.func, "id", "?"))
        for path in ROOMS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    }
    assert awaited - own - OUTSIDE - WAITING == {"handler"}  # of an outbox row: a coroutine of the room
