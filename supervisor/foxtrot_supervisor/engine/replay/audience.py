"""What stands between the merge and the handlers of a replay: before its beginning, only books are kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap
from foxtrot_protocol.order_book import OrderBook
from foxtrot_supervisor.engine.bus.event_engine import EventEngine

__all__ = ["Audience"]

_snapshot: Any = BookSnapshot


class Audience:
    """Calls handlers of `engine`, once it is open.

    Before that it keeps the books that updates build, and each is given to handlers as a snapshot at the opening:
    handlers could not follow a book of which they have only updates.
    """

    def __init__(self, engine: EventEngine, *, is_open: bool) -> None:
        self._engine = engine
        self.dispatch_latency = engine.dispatch_latency
        self.is_open = is_open
        self.busy_ns = 0
        """Time spent in handlers of market events, ticks and bars included, in nanoseconds."""
        self._books: dict[tuple[str, str], _Book] = {}

    def dispatch_batch(self, batch: Sequence[Any]) -> None:
        """Call the handlers of each event of `batch`, in order; or keep the books in it."""
        if self.is_open:
            began_ns = time.perf_counter_ns()
            self._engine.dispatch_batch(batch)
            self.busy_ns += time.perf_counter_ns() - began_ns
        else:
            for event in batch:
                self._keep(event)

    def open(self, at_ns: int) -> None:
        """Give handlers the books as they are at `at_ns`, and everything from now on."""
        self.is_open = True
        self.dispatch_batch([book.as_snapshot(at_ns) for book in self._books.values() if book.updated])
        self._books.clear()

    def _keep(self, event: Any) -> None:
        if event.__class__ is BookSnapshot:
            self._books[event.exchange, event.symbol] = _Book(event)
        elif event.__class__ is BookDelta:
            book = self._books.get((event.exchange, event.symbol))
            if book is not None and not book.apply(event):
                del self._books[event.exchange, event.symbol]
        elif event.__class__ is Gap and not event.filled:
            # what is missing may concern them: the next snapshot shows them again
            for key in [key for key in self._books if event.symbol in ("", key[1])]:
                if event.stream in ("", EVENT_BOOK):
                    del self._books[key]


class _Book:
    """A book before the beginning. `updated`: it has updates, so it will not come whole on its own."""

    def __init__(self, snapshot: Any) -> None:
        self._book: OrderBook[Any] = OrderBook(snapshot.symbol)
        self._last = snapshot
        self.updated = False
        with contextlib.suppress(BookInvalid):
            self._book.snapshot(snapshot.bids, snapshot.asks)

    def apply(self, delta: Any) -> bool:
        """Apply an update; False if the book is invalid."""
        try:
            self._book.apply(delta.bids, delta.asks)
        except BookInvalid:
            return False
        self._last, self.updated = delta, True
        return True

    def as_snapshot(self, at_ns: int) -> Any:
        book, last = self._book, self._last
        return _snapshot(
            last.exchange,
            last.symbol,
            last.exchange_ns,
            at_ns,
            book.best_bids(book.bid_count),
            book.best_asks(book.ask_count),
            None,
            last.last_id,
            last.checksum,
            at_ns,
        )
