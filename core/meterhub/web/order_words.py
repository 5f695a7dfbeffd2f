"""What events, sources and tries of orders are called on pages."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from meterhub.texts import Texts, mark
from meterhub.web import values

EVENTS: Mapping[str, str] = {
    "payment": mark("Paid"),
    "applied": mark("Credited after all"),
    "debt_paid": mark("Debt paid"),
    "delivery_sent": mark("Sent to the meter"),
    "delivery_done": mark("On the meter"),
    "delivery_back": mark("Back from the meter"),
    "withdrawal_sent": mark("Being taken back out of the meter"),
    "withdrawal_done": mark("Taken back out of the meter"),
    "withdrawal_back": mark("The meter did not give it back"),
    "refund_planned": mark("Set aside to be given back"),
    "refund_done": mark("Given back"),
    "refund_dropped": mark("Not given back"),
    "charge": mark("Used"),
    "charge_owed": mark("Used and owed"),
    "written_off": mark("Given up at the end of the account"),
}
"""What the lines of the ledger are called."""
TOLD: Mapping[str, str] = {
    "notice": mark("Notice of the company"),
    "query": mark("Answer of the company"),
    "bill": mark("Bill of the company"),
    "cash": mark("Counter"),
}
"""Where the knowledge of a payment comes from."""
REFUNDED: Mapping[str, str] = {
    "second_payment": mark("Paid twice"),
    "late_payment": mark("Paid too late"),
}
"""Why the hub itself gave money back; people write their own reasons."""
TRIES: Mapping[str, tuple[str, str]] = {
    "new": ("off", mark("Being opened")),
    "pending": ("info", mark("Waits for the payer")),
    "unknown": ("warn", mark("No clear answer")),
    "success": ("ok", mark("Paid")),
    "failed": ("bad", mark("Failed")),
    "closed": ("off", mark("Closed")),
}
"""Tone and words of every state of a try to pay."""
ORDERED_BY: Mapping[str, str] = {
    "tenant": mark("Tenant"),
    "passer-by": mark("Somebody with the meter's number"),
}
"""Who ordered, when it was nobody who is logged in."""


def named(names: Mapping[str, str], word: str, texts: Texts) -> str:
    """The word of a map in the reader's language; as it is when the map does not have it."""
    return texts(names[word]) if word in names else word


def tried(state: str, texts: Texts) -> Markup:
    """How a try to pay stands."""
    tone, label = TRIES[state]
    return Markup(values.toned(tone, texts(label)))
