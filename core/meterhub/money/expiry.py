"""The end of orders that nobody paid in time: those that end within the same minute share a row of the outbox.

So an order costs no row of its own, and many end in one statement.
"""

from __future__ import annotations

from functools import partial

from meterhub.clock import Clock
from meterhub.money.outbox import DONE, Again, Outbox
from meterhub.store.engine import Row, Store, Transaction

EXPIRE = "expire"
"""Outbox kind: end orders whose time is over. The key says which minute; of older versions, which order."""
SPAN_MS = 60_000
AFTER_S = 30
"""An order is ended a little after its time, when its attempts have been closed at the company."""
LOOK_AGAIN_S = 600
"""How often it is seen whether what could still be paid has ended; its end itself makes that seen at once."""
AT_ONCE = 500
"""Orders ended in one transaction, so that nobody waits long for theirs."""


def closed(tx: Transaction, attempt: Row, now_ms: int, outbox: Outbox) -> None:
    """An attempt can be paid no more: when the time of its order is over, the order is ended at once."""
    span = attempt["expires_ms"] // SPAN_MS
    if now_ms >= (span + 1) * SPAN_MS + AFTER_S * 1000:
        outbox.wake_row(tx, EXPIRE, f"{span}")


class Expiry:
    """Ends orders whose time is over, once none of their attempts can be paid any more."""

    def __init__(self, store: Store, clock: Clock, outbox: Outbox) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._kept = 0
        outbox.handle(EXPIRE, self.expire)

    def keep(self, tx: Transaction, expires_ms: int, now_ms: int, operator: str) -> None:
        """Have orders that end at that time ended, in the transaction of one of them."""
        span = expires_ms // SPAN_MS
        if span == self._kept:
            return
        after_s = ((span + 1) * SPAN_MS - now_ms) / 1000 + AFTER_S
        # A clock that was set back comes to the same minute twice, when its row is done.
        self._outbox.put(tx, EXPIRE, f"{span}", f"{span}", {}, operator=operator, after_s=after_s, again=True)
        tx.after(partial(self._keep, span))

    def _keep(self, span: int) -> None:
        self._kept = span

    async def expire(self, row: Row) -> Again | None:
        """End what is due; the handler of outbox rows of kind ``expire``."""
        now_ms = self._clock.now()
        from_ms, to_ms = 0, now_ms - AFTER_S * 1000 + 1
        if row["key"].isdigit():
            from_ms, to_ms = int(row["key"]) * SPAN_MS, (int(row["key"]) + 1) * SPAN_MS

        def write(tx: Transaction) -> Again:
            # All earlier ones as well: a clock that was set back comes to the same minute twice.
            if tx.execute("money.expire", {"to_ms": to_ms, "now_ms": now_ms, "most": AT_ONCE}) == AT_ONCE:
                return Again(0)
            if tx.one("money.not_expired", {"from_ms": from_ms, "to_ms": to_ms}) is not None:
                return Again(LOOK_AGAIN_S, "a payment of it may still come")
            self._outbox.finish(tx, EXPIRE, row["key"])
            return DONE

        self._kept = 0  # its row may be done after this
        return await self._store.transact(write)
