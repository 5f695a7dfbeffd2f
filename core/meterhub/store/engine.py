"""The engine contract: all that the hub asks of a database.

Transactions, named queries, readings in bulk, their history. Everything is called from the event loop and nothing
blocks it. Times are UTC epoch milliseconds, values are scaled integers, booleans as 0 and 1, or texts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Row = dict[str, Any]
"""One row of a query, by column name."""

Params = Mapping[str, Any] | Sequence[Any]
"""Values for ``:name`` or ``?`` in a query."""

Reading = tuple[int, int, int | bool | str | None, int]
"""``(series, measured_ms, value, quality)``; ``quality`` is the index in ``devices.entity.QUALITIES``."""

Point = tuple[int, int | str | None, int]
"""``(measured_ms, value, quality)`` of one series."""

INVALID = 2
"""The quality whose values are shown but never counted: no roll-up takes them in."""


class Step(StrEnum):
    """How fine the history is asked for."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(slots=True)
class Bucket:
    """What one series did in one hour, day or month of local time; ``start_ms`` is its first instant.

    ``previous`` is the last value before the bucket, None when the range before it holds none.
    """

    start_ms: int
    first_ms: int
    first: int
    last_ms: int
    last: int
    minimum: int
    maximum: int
    count: int
    previous: int | None = None

    @property
    def consumption(self) -> int | None:
        """What a register that only grows has grown by; None when it went back (meter exchanged, or rolled over)."""
        grown = self.last - (self.first if self.previous is None else self.previous)
        return grown if grown >= 0 else None

    def merge(self, other: Bucket) -> None:
        """Take in what another part of the same time brought."""
        if other.first_ms < self.first_ms:
            self.first_ms, self.first = other.first_ms, other.first
        if other.last_ms >= self.last_ms:
            self.last_ms, self.last = other.last_ms, other.last
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a named query is wanted. All names are columns of the query.

    ``filters`` maps a column to its accepted values ("" also accepts none at all); ``search`` is looked for in the
    columns ``search_in``; ``sort`` is a column, with ``-`` for descending; ``facets`` are the columns to count by.
    """

    search: str = ""
    search_in: Collection[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sort: str = ""
    limit: int = 50
    offset: int = 0
    facets: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of rows, the number of rows of the whole filter, and how often each value occurs in each facet."""

    rows: list[Row]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Transaction(Protocol):
    """What a function given to ``Store.transact`` works with. ``query`` is the name of a stored query, or SQL."""

    def execute(self, query: str, params: Params = ()) -> int:
        """Run one statement; returns how many rows it changed."""

    def many(self, query: str, rows: Iterable[Params]) -> int:
        """Run one statement for each of the rows; returns how many rows were changed."""

    def one(self, query: str, params: Params = ()) -> Row | None:
        """The first row, or None."""

    def all(self, query: str, params: Params = ()) -> list[Row]:
        """All rows."""

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Add a row and return its number; raises ``Conflict`` when its key is taken."""

    def update(self, table: str, key: Mapping[str, Any], changes: Mapping[str, Any]) -> int:
        """Change the rows whose columns equal ``key``; returns how many there were."""

    def after(self, callback: Callable[[], object]) -> None:
        """Call this in the loop once the transaction is safe on disk, even if its caller has gone; else never."""


class Store(ABC):
    """A database in use. Methods raise ``StoreError`` when the database cannot keep or give what was asked."""

    @property
    @abstractmethod
    def fault(self) -> str:
        """Why the latest commit failed; "" when all is well."""

    @abstractmethod
    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        """Run ``fn(tx)`` in one transaction and return its result once that is committed and safe on disk.

        ``fn`` runs outside the loop: it must touch nothing but its arguments and ``tx``. What it raises undoes the
        transaction and comes out here. Cancelling the caller does not undo what has begun.
        """

    @abstractmethod
    async def query(self, name: str, params: Params = ()) -> list[Row]:
        """All rows of a named query (or of SQL), read from committed data only."""

    @abstractmethod
    async def query_page(self, name: str, paging: Paging, params: Mapping[str, Any] | None = None) -> Rows:
        """One page of a named query whose parameters are ``:name``; raises ``BadInput`` for an unknown column."""

    @abstractmethod
    async def series(self, entity_ids: Iterable[str]) -> dict[str, int]:
        """The numbers under which these entities' readings are kept; unknown ids get one."""

    @abstractmethod
    async def record(self, batch: Sequence[Reading]) -> None:
        """Keep readings; returns once they are committed. The same reading twice is one reading.

        Raises ``StoreError`` when it may work later (disk full), and another ``MeterHubError`` when it never will.
        """

    @abstractmethod
    async def load_latest(self, after: int = 0, limit: int = 10_000) -> list[Reading]:
        """The newest reading of each series, in the order of their numbers: the next ``limit`` ones over ``after``."""

    @abstractmethod
    async def points(self, entity_id: str, from_ms: int, to_ms: int, limit: int = 10_000) -> list[Point]:
        """The readings of one entity with ``from_ms <= measured_ms < to_ms``, oldest first, ``limit`` at most."""

    @abstractmethod
    async def buckets(
        self, entity_id: str, from_ms: int, to_ms: int, step: Step, zone: tzinfo | None = None
    ) -> list[Bucket]:
        """The whole hours, days or months that the time touches, those without a value left out.

        ``zone`` is the site's time zone (None: the store's). Raises ``BadInput`` for a time too long for the step.
        """

    @abstractmethod
    async def roll_up(self) -> int:
        """Bring the daily figures up to date with all quarter hours that are over; returns how many were due."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is queued and let the files go."""
