"""Delivery: a paid credit goes to its meter once, whatever is cut off, lost or late on the way.

The purchase number is read from the meter, stored with one added, and committed before the first byte is sent. On any
doubt the meter is asked for its count: a count that has reached the number means done (unless the meter tells another
amount for it: then its books and ours differ, and a person decides), a count one below means that the same number is
sent once more. A meter without a count is sent to once; in doubt a person decides (UNCERTAIN).

Every step is: read the row, ask the meter one thing, commit. A stop anywhere leaves a row from which the next look
goes on: ``planned`` (nothing was sent), ``sending`` (something may have been sent), ``unknown`` (ask the meter).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from meterhub.clock import Clock
from meterhub.money import delivery_steps as steps
from meterhub.money.amount import yuan
from meterhub.money.asking import Answer, Ask
from meterhub.money.outbox import DONE, Again, Outbox, wait_s
from meterhub.money.purse import PurseReading
from meterhub.money.states import DeliveryState
from meterhub.store.engine import Row, Store, Transaction

PARK = Again(None, "a person has to decide")
READ_AGAIN_S = 5
"""Between two readings of a count that does not fit to the books."""
SENT_AT_ONCE = 3
"""How often a credit is sent with nothing but a reading of the count between; then with longer and longer waits."""
NOT_TAKEN = ("refused", "bad_input")
"""What a meter, or the protocol in its place, says to a credit that it will not take."""
OVER = (DeliveryState.CONFIRMED, DeliveryState.NOT_DELIVERED)


class Deliveries:
    """Carries deliveries, one look at a time; the handler of the outbox rows of kind ``delivery``."""

    def __init__(self, store: Store, clock: Clock, ask: Ask, outbox: Outbox) -> None:
        self._store = store
        self._clock = clock
        self._ask = ask
        self._outbox = outbox

    async def carry(self, row: Row) -> Again | None:
        """Take the delivery of an outbox row as far as it goes now; None when it is over."""
        delivery_id = json.loads(row["payload_json"])["delivery"]
        while True:
            (delivery,) = await self._store.query("money.delivery", {"id": delivery_id})
            if delivery["state"] in OVER:
                return None
            if delivery["needs_person"]:
                return PARK
            again = await self._step(delivery)
            if again is not None:
                return again

    async def _step(self, delivery: Row) -> Again | None:
        """One step; None to look at the row again at once."""
        if delivery["state"] == "sending":
            # Found, not made by this call: the hub stopped in the middle.
            return await self._commit(steps.doubt, delivery, "the hub stopped while this was being sent")
        answer = await self._balance(delivery)
        if not answer.ok:
            return await self._put_off(delivery, answer)
        # Before the first sending the count gives the number; after it only the count can tell what became of it.
        step = steps.begin if delivery["state"] == "planned" else steps.judge
        moved = await self._moved(step, delivery, PurseReading.of(answer.result))
        if moved["state"] == "planned" and not moved["needs_person"]:
            return Again(READ_AGAIN_S, moved["error"])
        return await self._send(moved) if moved["state"] == "sending" else _ended(moved)

    async def _send(self, delivery: Row) -> Again | None:
        params = {"amount": yuan(delivery["amount_fen"]), "number": delivery["number"]}
        key = f"delivery/{delivery['id']}/{delivery['sends']}"
        action = "meter.refund" if delivery["takes_back"] else "meter.credit"
        answer = await self._ask(action, delivery["meter"], params, key, f"payment:{delivery['order_no']}")
        if answer.ok:
            return await self._commit(steps.arrived, delivery, PurseReading.of(answer.result))
        if answer.code in NOT_TAKEN:
            return await self._refused(delivery, answer)
        if not answer.sent:
            await self._commit(steps.not_sent, delivery, answer.message)
            return Again(wait_s(delivery["tries"]), answer.message)
        again = await self._commit(steps.doubt, delivery, answer.message)
        if again is None and delivery["counted"] and delivery["sends"] >= SENT_AT_ONCE:
            return Again(wait_s(delivery["sends"] - SENT_AT_ONCE), answer.message)
        return again

    async def _refused(self, delivery: Row, answer: Answer) -> Again | None:
        """The meter said no. Its count tells whether that is all; without a count nobody can be sure."""
        if not delivery["counted"]:
            return await self._commit(steps.doubt, delivery, answer.message)
        after = await self._balance(delivery)
        if not after.ok:
            await self._commit(steps.doubt, delivery, answer.message)
            return Again(wait_s(delivery["tries"]), after.message)
        return await self._commit(steps.refused, delivery, PurseReading.of(after.result), answer.message)

    async def _balance(self, delivery: Row) -> Answer:
        return await self._ask("meter.balance", delivery["meter"], {}, "", f"payment:{delivery['order_no']}")

    async def _put_off(self, delivery: Row, answer: Answer) -> Again:
        """The meter cannot be asked now; what is known stays as it is."""
        changes = {"tries": delivery["tries"] + 1, "error": answer.message}
        await self._store.transact(lambda tx: tx.update("deliveries", {"id": delivery["id"]}, changes))
        return Again(wait_s(delivery["tries"]), answer.message)

    async def _commit(self, step: Callable[..., Any], delivery: Row, *more: Any) -> Again | None:
        """Run a step of ``delivery_steps``; None to look at the row again at once."""
        return _ended(await self._moved(step, delivery, *more))

    async def _moved(self, step: Callable[..., Any], delivery: Row, *more: Any) -> Row:
        """Run a step in one transaction and return the delivery as it then is; one that is over is off the outbox."""
        now_ms = self._clock.now()

        def write(tx: Transaction) -> Row:
            desk = steps.Desk(tx, self._outbox, now_ms)
            step(desk, delivery, *more)
            after = desk.again(delivery)
            if after["state"] in OVER:
                steps.take_off(desk, after)
            return after

        return await self._store.transact(write)


def _ended(delivery: Row) -> Again | None:
    return DONE if delivery["state"] in OVER else None
