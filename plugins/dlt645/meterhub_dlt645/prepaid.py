"""Money into and out of a meter: read the count, send once, read again.

The caller stores the purchase number before it calls. Called again with the same number after any doubt, the dialogue
first looks whether the money is in already, and only else sends the same number once more: never another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.exchange import Talk
from meterhub_dlt645.formats import with_point
from meterhub_dlt645.purse import OPEN, PURSES, RECHARGE, REFUND, Purchase, Purse, Standing, fen, secure
from meterhub_dlt645.signer import SIGNERS
from meterhub_dlt645.values import value

REPEATED = "repeated recharge"
CONSUMED_SLACK = 5_000
"""Fen that may be used up between two readings of the balance."""
DEFAULT_SIGNER = {"national": "none", "kede": "plaintext", "order": "plaintext"}


def balance(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """What the purse says: count and money."""
    purse, _ = _purse(meter, "meter.credit")
    standing = yield from purse.standing(Talk(meter, edition))
    return CommandReply(shown_by(meter, standing), told(standing))


def credit(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Recharge under a purchase number."""
    return (yield from _change(meter, edition, "meter.credit", RECHARGE, params))


def refund(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Take money back, where the maker has it."""
    return (yield from _change(meter, edition, "meter.refund", REFUND, params))


def open_account(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Open the account with a first amount; the count is 1 then."""
    return (yield from _change(meter, edition, "meter.open_account", OPEN, params))


def _purse(meter: Meter, name: str) -> tuple[Purse, Mapping[str, Any]]:
    spec = {**meter.commands.get("meter.credit", {}), **meter.commands.get(name, {})}
    if "variant" not in spec:
        raise BadInput(
            "the profile does not say which purse this meter has", where=meter.id, hint="variant: at meter.credit"
        )
    return PURSES[spec["variant"]], spec


def _change(
    meter: Meter, edition: str, name: str, identifier: str, params: Mapping[str, Any]
) -> Dialogue[CommandReply]:
    purse, spec = _purse(meter, name)
    if (identifier == REFUND and not purse.refunds) or (identifier == OPEN and not purse.opens):
        raise BadInput(f"the purse of {meter.id} has no such command", where=meter.id)
    talk = Talk(meter, edition)
    number = int(params["number"])
    if not 1 <= number <= purse.most_number:
        raise BadInput(f"purchase numbers of this meter go from 1 to {purse.most_number}, not {number}", where=meter.id)
    purchase = Purchase(
        identifier, fen(str(params["amount"])), number, str(params.get("customer", spec.get("customer", "")))
    )
    signer = SIGNERS[spec.get("signer", DEFAULT_SIGNER[spec["variant"]])]
    operator = spec.get("operator", purse.operator)
    content = purse.content(talk, purchase, signer, params)
    before = yield from purse.standing(talk)
    if _in_already(purse, before, number):
        return CommandReply(shown_by(meter, before), told(before) | {"number": number, "already": True})
    _check_number(meter, purse, before, number)
    if purse is PURSES["kede"] and identifier == REFUND:
        identifier = RECHARGE  # one command, with a direction in its content
    repeated, silence = yield from _send(talk, identifier, operator, content)
    after = yield from purse.standing(talk)
    return _judge(meter, purse, purchase, before, after, repeated, silence)


def _in_already(purse: Purse, standing: Standing, number: int) -> bool:
    return purse.counts and standing.count is not None and standing.count >= number


def _check_number(meter: Meter, purse: Purse, before: Standing, number: int) -> None:
    """A number that skips one would be refused by the meter anyway, and would hide a lost purchase."""
    last = before.count or 0
    if purse.counts and number != last + 1:
        raise Refused(
            f"the meter's last purchase is number {last}, so the next one is {last + 1}, not {number}",
            where=meter.id,
            reasons=("recharge count wrong",),
            hint="a purchase is missing in the books or at the meter: compare them before crediting",
        )


def _send(talk: Talk, identifier: str, operator: str, content: bytes) -> Dialogue[tuple[bool, NoAnswer | None]]:
    """Send once. A meter that says it has this purchase already is asked what it has; other refusals pass."""
    try:
        yield from secure(talk, identifier, operator, content, tries=1)
    except Refused as error:
        if REPEATED not in error.reasons:
            raise
        return True, None
    except NoAnswer as error:
        return False, error
    return False, None


def _judge(
    meter: Meter,
    purse: Purse,
    purchase: Purchase,
    before: Standing,
    after: Standing,
    repeated: bool,
    silence: NoAnswer | None,
) -> CommandReply:
    """Whether the money is in, by what the meter says now. Raises ``NoAnswer`` while that is not known."""
    detail = told(after) | {"number": purchase.number, "already": repeated, "acknowledged": silence is None}
    if purse.counts and after.count is not None:
        done = after.count >= purchase.number
    else:
        done = _moved(purchase, before, after) or (repeated and not purse.counts)
    if done:
        return CommandReply(shown_by(meter, after), detail)
    if silence is not None:
        silence.hint = "nobody knows whether the meter has it: call again with the same number, never with another"
        raise silence
    said = mark("refused as repeated") if repeated else mark("accepted")
    raise Refused(
        f"the meter {said} purchase {purchase.number}, but its purse does not show it",
        where=meter.id,
        hint="stop and look at the meter before anything is credited again",
    )


def _moved(purchase: Purchase, before: Standing, after: Standing) -> bool:
    """Whether the balance went by the amount, less what may have been used meanwhile."""
    if before.balance is None or after.balance is None:
        return False
    expected = -purchase.amount if purchase.identifier == REFUND else purchase.amount
    missing = expected - (after.balance - before.balance)
    return 0 <= missing <= min(CONSUMED_SLACK, purchase.amount // 2)


def shown_by(meter: Meter, standing: Standing) -> dict[str, int | bool | str | None]:
    """What the purse said as values of the meter's own entities, so that a page shows them at once."""
    if standing.remaining is None:
        return {}
    said = (("remaining_amount", standing.remaining), ("overdrawn_amount", standing.overdrawn))
    return {key: fen for key, fen in said if key in meter.points}


def told(standing: Standing) -> dict[str, Any]:
    """A purse's state as the result of an action."""
    amounts = {"balance": standing.balance, "remaining": standing.remaining, "overdrawn": standing.overdrawn}
    shown = {name: None if fen is None else with_point(fen, 2) for name, fen in amounts.items()}
    values = [value("balance", "Balance", shown["balance"], "yuan")]
    if standing.count is not None:
        values.append(value("purchase_count", "Purchase count", str(standing.count)))
    last = None if standing.last is None else with_point(standing.last, 2)
    return {"count": standing.count, **shown, "last": last, "values": values}
