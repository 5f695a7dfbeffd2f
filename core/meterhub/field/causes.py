"""Why a collector came or went: the words of ``field.collector`` and of links, as sentences."""

from __future__ import annotations

from meterhub.texts import mark

CAUSES = {
    "connected": mark("it connected"),
    "closed": mark("the other side closed the connection"),
    "reset": mark("the connection broke"),
    "silent": mark("no sign of life"),
    "replaced": mark("it connected anew"),
    "overflow": mark("it does not take what is sent"),
    "babble": mark("it sent too much that was no frame"),
    "unplugged": mark("it was unplugged"),
    "hub_stopped": mark("the hub stopped"),
    "never_seen": mark("it has not connected yet"),
}


def in_words(cause: str) -> str:
    """The cause as a sentence; another word is shown as it is."""
    return CAUSES.get(cause, cause)
