"""Prices: write the standby set, then the time at which the meter changes to it.

The set in use cannot be written. Tariff prices and steps have a standby set and a switch time each (supplements of
2009); one maker keeps all of it in one parameter block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput
from meterhub.field.dialogue import CommandReply, Dialogue
from meterhub.field.protocol import Meter
from meterhub_dlt645.catalogue import Layout, catalogue
from meterhub_dlt645.encoding import changed_items, encode_values
from meterhub_dlt645.exchange import Talk, read_data
from meterhub_dlt645.registers import write_data, write_parameters

STANDBY = {"prices": "040502", "limits": "040602", "step_prices": "040603"}
"""Identifiers without their last byte, which is the number from 1."""
SWITCH_TIMES = {"prices": "04000108", "limits": "04000109", "step_prices": "04000109"}
BLOCK = "070104FF"
BLOCK_NAMES = {"prices": "tariff price", "limits": "step limit", "step_prices": "step price"}
BLOCK_TIMES = {"prices": "tariff-price switch time", "limits": "step switch time", "step_prices": "step switch time"}


def set_prices(meter: Meter, edition: str, clock: Clock, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
    """Tariff prices (``prices``), steps (``limits``, ``step_prices``) or both, in force from ``when`` on."""
    wanted = {kind: [one.strip() for one in params[kind].split(",")] for kind in STANDBY if params.get(kind)}
    if not wanted:
        raise BadInput("there are no prices to write", where=meter.id, hint="give prices, or limits and step_prices")
    if len(wanted.get("step_prices", ())) - len(wanted.get("limits", ())) not in (0, 1):
        raise BadInput("there is one price for each step, and one for what is above the last limit", where=meter.id)
    if meter.commands.get("meter.credit", {}).get("variant") == "order":
        return (yield from _by_block(meter, edition, wanted, params["when"]))
    writes = [_encoded(f"{STANDBY[kind]}{number:02X}", one) for kind in wanted for number, one in _from_1(wanted[kind])]
    times = dict.fromkeys(SWITCH_TIMES[kind] for kind in wanted)
    values = []
    for layout, data in [*writes, *(_encoded(one, params["when"]) for one in times)]:
        reply = yield from write_data(Talk(meter, edition), meter, layout, data)
        values += reply.detail["values"]
    return CommandReply(detail={"values": values, "verified": True})


def _from_1(values: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(values, 1))


def _encoded(identifier: str, text: str) -> tuple[Layout, bytes]:
    """Everything is encoded before the first write, so that a wrong value leaves nothing half done."""
    layout = catalogue("2007").find(identifier)
    if layout is None:
        raise BadInput("there are at most 63 tariff prices and six steps")
    return layout, encode_values(layout, text)


def _by_block(meter: Meter, edition: str, wanted: Mapping[str, list[str]], when: str) -> Dialogue[CommandReply]:
    """The same in the one parameter block of a maker."""
    layout, talk = catalogue("2007").find(BLOCK), Talk(meter, edition)
    assert layout is not None
    items = {f"set 2 {BLOCK_NAMES[kind]} {number}": one for kind in wanted for number, one in _from_1(wanted[kind])}
    items |= {BLOCK_TIMES[kind]: when for kind in wanted}
    present = yield from read_data(talk, BLOCK, layout.fixed())
    data = changed_items(layout, present, ",".join(f"{name}={one}" for name, one in items.items()))
    return (yield from write_parameters(talk, meter, layout, data))
