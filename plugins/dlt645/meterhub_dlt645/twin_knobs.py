"""What real meters do now and then, for the simulated one on demand."""

from __future__ import annotations


class Knobs:
    """All off at first. ``cut_at`` is how many bytes one answer holds; longer ones are continued."""

    def __init__(self, cut_at: int) -> None:
        self.cut_at = cut_at
        self.silent = False
        """Dead."""
        self.lose_next = False
        """Does as told, but the answer is lost."""
        self.late_next = False
        """Answers only when it is asked again, and then both at once."""
        self.corrupt_next = False
        """Spoils a byte of the answer."""
        self.preamble = 0
        """FE before each answer."""
        self.refuse: set[str] = set()
        """Identifiers that it does not know."""
        self.no_blocks = False
        """Refuses identifiers with FF."""
        self.mute_blocks = False
        """Says nothing to identifiers with FF."""
        self.ends_blocks = False
        """AA behind a block."""
        self.event_waits = False
        """Sets D5 although its data are complete."""
        self.echo_wildcard = False
        """Answers under the address that was asked."""
        self.button_pressed = True
        """False: takes no new address."""
        self.needs_button = False
        """A relay that may close waits until somebody presses the button."""
        self.takes_half = False
        """Refuses a parameter block and keeps half of it."""
        self.tells_why = False
        """Two bytes of reasons when it refuses remote control."""
