"""Supply: an account whose credit is on the server is cut off at zero and switched on again when it is paid.

Nothing is switched without a stored decision that says why and on what figures; a decision not to cut is stored too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from meterhub.clock import Clock
from meterhub.money.asking import Answer, Ask
from meterhub.money.follow import SUPPLY
from meterhub.money.orders import account_of
from meterhub.money.outbox import Again, Outbox, wait_s
from meterhub.money.states import Mode
from meterhub.money.switching import STALE, Switching
from meterhub.store.engine import Row, Store, Transaction

LOOK_AGAIN_S = 600
COMMANDS = {"off": "meter.open_circuit", "on": "meter.close_circuit"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: ``wanted`` is on or off; ``allow`` says whether it is done now."""

    id: int
    account: Row
    wanted: str
    allow: bool
    reason: str


class Supply:
    """The handler of outbox rows of kind ``supply``."""

    def __init__(self, store: Store, clock: Clock, ask: Ask, outbox: Outbox, switching: Switching) -> None:
        self._store = store
        self._clock = clock
        self._ask = ask
        self._switching = switching
        outbox.handle(SUPPLY, self.carry)

    async def carry(self, row: Row) -> Again | None:
        """Decide, switch, note what the meter confirmed; None when the supply is as it should be."""
        account_id = json.loads(row["payload_json"])["account"]
        decision = await self._store.transact(lambda tx: self._decide(tx, account_id))
        if decision is not None and decision.reason == STALE and (await self._heard(decision)).ok:
            decision = await self._store.transact(lambda tx: self._decide(tx, account_id))
        if decision is None:
            return None
        if not decision.allow:
            return Again(LOOK_AGAIN_S)
        account = decision.account
        key = f"supply/{decision.id}"
        answer = await self._ask(COMMANDS[decision.wanted], account["meter"], {}, key, f"decision:{decision.id}")
        if not answer.ok:
            return Again(wait_s(row["failures"]), answer.message)
        changes = {"supply": decision.wanted}
        await self._store.transact(lambda tx: tx.update("money_accounts", {"id": account_id}, changes))
        return None

    async def _heard(self, decision: Decision) -> Answer:
        """Nobody has read the meter for long: ask it now."""
        return await self._ask("meter.read", decision.account["meter"], {}, "", f"decision:{decision.id}")

    def _decide(self, tx: Transaction, account_id: str) -> Decision | None:
        account = account_of(tx, account_id)
        if account["mode"] != Mode.SERVER or account["state"] == "closed":
            return None
        figures = self._switching.figures(tx, account)
        wanted = "on" if figures["credit_fen"] > 0 else "off"
        if wanted == (account["supply"] or "on"):
            return None
        last = tx.one("money.decisions_of", {"account": account_id, "most": 1})
        allow, reason = self._switching.may(wanted, figures, last)
        if not allow and last is not None and (last["wanted"], last["reason"]) == (wanted, reason):
            return Decision(last["id"], account, wanted, allow, reason)  # said once, not at every look
        row = {"operator": account["operator"], "account": account_id, "meter": account["meter"], "wanted": wanted}
        more = {"allow": int(allow), "reason": reason, "inputs_json": json.dumps(figures), "at_ms": self._clock.now()}
        return Decision(tx.insert("policy_decisions", {**row, **more}), account, wanted, allow, reason)
