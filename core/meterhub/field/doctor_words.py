"""What the line doctor says: by the code of a finding, what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from meterhub.texts import mark

WORDS: Mapping[str, tuple[str, str]] = {
    "offline": (
        mark("The collector is not connected."),
        mark("Look at its power, signal and address; the line can say nothing before that."),
    ),
    "not_asked": (mark("Nothing was asked on this line lately."), mark("Read a meter, then look again.")),
    "healthy": (mark("%(good)d of %(asked)d requests were answered; nothing is wrong."), ""),
    "lossy": (
        mark("%(good)d of %(asked)d requests were answered; the others or their answers were lost on the way."),
        mark("Over radio look at signal and distance; on a wire at its length, terminating resistors and contacts."),
    ),
    "silence": (
        mark("The collector is connected, but nothing at all comes from the line: %(asked)d requests, no byte."),
        mark("Look for A and B exchanged, a cut wire, a line without power, or a wrong speed at the collector."),
    ),
    "other_speed": (
        mark("The meters answer at %(speed)d baud, but the line is set to %(baud)d baud."),
        mark("Set baud: of the line to that speed, or change the speed of the meters."),
    ),
    "quiet_meters": (
        mark("Others answer on this line, but these meters are silent: %(meters)s."),
        mark("Look at their address, power and wiring; the line itself works."),
    ),
    "echo": (
        mark("The line's own requests come back before the answers (%(count)d of %(asked)d)."),
        mark("That is an echo of the collector's RS-485 port. It is passed over, but switch it off where you can."),
    ),
    "echo_only": (
        mark("Only the line's own requests come back, and never an answer."),
        mark("The port hears itself: look for A and B exchanged behind it, or a line without meters."),
    ),
    "wrong_parity": (
        mark("Answers have the right shape, but the top bit of every byte is missing."),
        mark("The port is set to 7 data bits, or without the parity of the meters: set 8 data bits and even parity."),
    ),
    "slower_meters": (
        mark("What comes looks like a slower sender: long runs of equal bits, %(ratio)s times the bytes expected."),
        mark("The meters speak at a lower speed than the line is set to (%(baud)d baud): try a lower one."),
    ),
    "faster_meters": (
        mark("What comes looks like a faster sender: only %(ratio)s of the bytes expected, none of them a frame."),
        mark("The meters speak at a higher speed than the line is set to (%(baud)d baud): try a higher one."),
    ),
    "same_address": (
        mark("Two meters answer to the address %(meter)s."),
        mark("Disconnect one of them and read its address; give each its own."),
    ),
    "spoilt_meter": (
        mark("Answers of %(meter)s are always spoilt, while others on the line are right."),
        mark("Two meters may have this address, or its port is damaged: disconnect it, and see if it still answers."),
    ),
    "collision": (
        mark("Answers of several meters are spoilt although they have the right shape (%(spoilt)d of %(asked)d)."),
        mark("Somebody speaks at the same time: a second collector, or a meter that answers every address."),
    ),
    "foreign_master": (
        mark("Somebody else asks on this line: %(count)d requests that are not ours, such as to %(address)s."),
        mark("Only one may ask on a line: find the other collector or handheld and disconnect it."),
    ),
    "noise": (
        mark("Bytes that belong to nothing come from the line (%(bytes)d), also while nobody speaks."),
        mark("Look at the shield, the terminating resistors, and cables beside motors."),
    ),
}
"""What each finding says, and what to do about it."""
