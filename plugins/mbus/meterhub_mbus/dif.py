"""The data information block: how the data of a record are coded, and which value of its kind the record is.

::

    DIF   E S F F  D D D D         DIFE  E U T T  S S S S     up to ten of them
          | | |    +- coding             | | |    +- the next four bits of the storage number
          | | +- function                | | +- the next two bits of the tariff
          | +- lowest bit of storage     | +- the next bit of the device (sub-unit)
          +- a DIFE follows              +- another DIFE follows

EN 13757-3, clauses 6.3.2 to 6.3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

EXTENSION = 0x80
MOST_EXTENSIONS = 10
"""DIFEs behind a DIF, and VIFEs behind a VIF."""

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")

SPECIAL = 0x0F
"""The coding of DIFs that begin no record; the whole byte says what they are."""
MANUFACTURER_DATA, MORE_FOLLOWS, FILLER, GLOBAL_READOUT = 0x0F, 0x1F, 0x2F, 0x7F

REAL, VARIABLE = 0x05, 0x0D
INTEGERS = {0x01, 0x02, 0x03, 0x04, 0x06, 0x07}
SIZES = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, -1)
"""Bytes of data by coding; -1: the data say it themselves."""


@dataclass(frozen=True, slots=True)
class DataInformation:
    """What the DIF and its DIFEs say. ``coding`` is the data field of the DIF, D3..D0."""

    coding: int
    function: str
    storage: int
    tariff: int
    device: int

    @property
    def size(self) -> int:
        """Bytes of data; -1 where the data say it themselves."""
        return SIZES[self.coding]


def data_information(block: bytes) -> DataInformation:
    """The meaning of a whole block, from the DIF to its last DIFE."""
    dif = block[0]
    storage, tariff, device = dif >> 6 & 1, 0, 0
    for place, extension in enumerate(block[1:]):
        storage |= (extension & 0x0F) << (4 * place + 1)
        tariff |= (extension >> 4 & 3) << (2 * place)
        device |= (extension >> 6 & 1) << place
    return DataInformation(dif & 0x0F, FUNCTIONS[dif >> 4 & 3], storage, tariff, device)
