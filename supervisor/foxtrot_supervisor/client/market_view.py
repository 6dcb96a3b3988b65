"""The market of one symbol, as the event stream shows it: last trades, best bid and ask, the book. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.event_lines import BookView
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Ticker, Trade
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.order_book import OrderBook

__all__ = ["CONNECTIONS_MAX", "DEPTH", "PARTIAL_OLD_NS", "SYMBOLS_MAX", "TRADES_MAX", "MarketView", "Top"]

DEPTH: Final = 50
"""Levels of each side of the book that are shown at most."""

SYMBOLS_MAX: Final = 1000
"""Symbols that are listed."""

TRADES_MAX: Final = 50
"""Latest trades kept."""

CONNECTIONS_MAX: Final = 8
"""Connections whose books of the symbol are followed. The stream has the events of twins merged: one book for both."""

PARTIAL_OLD_NS: Final = 5_000_000_000
"""Nanoseconds without an update after which a partial book begins again with another connection's updates."""

_HEAD_BYTES: Final = 300
"""The beginning of a batch, in which its worker's name stands."""


class Top(Struct, frozen=True):
    """Best bid and ask with sizes, decimal text; None on an empty side."""

    bid: str | None
    bid_size: str | None
    ask: str | None
    ask_size: str | None
    receive_ns: int


class MarketView:
    """What the stream says about one symbol.

    Args:
        worker: only events of this worker's connection, of its twin too; "": of all.
        exchange, symbol: as in events; "": the first that comes is chosen.
    """

    def __init__(self, worker: str = "", exchange: str = "", symbol: str = "") -> None:
        self.worker = worker
        self.exchange = exchange
        self.symbol = symbol
        self.symbols: set[tuple[str, str]] = set()
        """Exchange and symbol of the events that came, at most `SYMBOLS_MAX`; of the chosen one only, if one was."""
        self.trades: deque[Trade[str]] = deque(maxlen=TRADES_MAX)
        """Latest trades, oldest first, each once."""
        self.events_total = 0
        """Events of the symbol that came, those of twins included."""
        self._quoted: Top | None = None
        self.is_partial = False
        """Whether the book has only the levels that changed while it was followed: its snapshot came before."""
        self._views: dict[str, BookView] = {}
        self._partial: OrderBook[str] = OrderBook()
        self._partial_of = ""
        """Connection whose updates make the partial book."""
        self._book: OrderBook[str] | None = None
        self._book_ns = 0
        self._connection = _connection_of(worker)
        self._connection_bytes = self._connection.encode()
        self._symbol_bytes = symbol.encode()

    @property
    def last(self) -> Trade[str] | None:
        """The last trade."""
        return self.trades[-1] if self.trades else None

    @property
    def bids(self) -> list[tuple[str, str]]:
        """Price and size of the best `DEPTH` levels, best first; empty while nothing of the book is known."""
        return [] if self._book is None else self._book.best_bids(DEPTH)

    @property
    def asks(self) -> list[tuple[str, str]]:
        """As `bids`."""
        return [] if self._book is None else self._book.best_asks(DEPTH)

    @property
    def top(self) -> Top | None:
        """Best bid and ask, from whatever came last: a quote, a ticker, the book; None before the first."""
        if self._book is None or (self._quoted is not None and self._quoted.receive_ns > self._book_ns):
            return self._quoted
        bid, bid_size = next(iter(self._book.best_bids(1)), (None, None))
        ask, ask_size = next(iter(self._book.best_asks(1)), (None, None))
        return Top(bid, bid_size, ask, ask_size, self._book_ns)

    def spread(self) -> float | None:
        """Return ask - bid in quote units; None if one side is unknown."""
        top = self.top
        return None if top is None or top.bid is None or top.ask is None else float(top.ask) - float(top.bid)

    def may_concern(self, data: bytes) -> bool:
        """Whether the encoded batch can contain something of interest: most need no decoding."""
        return self._connection_bytes in data[:_HEAD_BYTES] and self._symbol_bytes in data

    def feed(self, batch: Batch[str]) -> bool:
        """Take the events of a batch; return whether anything shown has changed."""
        connection = _connection_of(batch.worker)
        if self._connection not in ("", connection):
            return False
        before, listed = self.events_total, len(self.symbols)
        for event in batch.events:
            if not self._symbol_bytes and len(self.symbols) < SYMBOLS_MAX:
                self.symbols.add((event.exchange, event.symbol))
            if not self.symbol:
                self.exchange, self.symbol = event.exchange, event.symbol
            if event.symbol == self.symbol and self.exchange in ("", event.exchange):
                self.events_total += 1
                self._take(connection, event)
        return self.events_total > before or len(self.symbols) > listed

    def dropped(self) -> None:
        """Some batches did not come: what is known of books may be wrong by now."""
        self._views.clear()
        self._forget_book()

    def _take(self, connection: str, event: MarketEvent[str]) -> None:
        if isinstance(event, Trade):
            if all(event.trade_id != known.trade_id for known in self.trades) or not event.trade_id:
                self.trades.append(event)
        elif isinstance(event, Quote) or (isinstance(event, Ticker) and event.bid is not None):
            self._quoted = Top(event.bid, event.bid_size, event.ask, event.ask_size, event.receive_ns)
        elif isinstance(event, BookSnapshot | BookDelta):
            self._fold(connection, event)
        elif isinstance(event, Gap) and event.stream in ("", EVENT_BOOK) and connection in self._views:
            self._views[connection].lose(event.exchange, event.symbol)
            self._forget_book()

    def _fold(self, connection: str, event: BookSnapshot[str] | BookDelta[str]) -> None:
        view = self._views.get(connection)
        if view is None:
            if len(self._views) >= CONNECTIONS_MAX:
                del self._views[next(iter(self._views))]
            view = self._views[connection] = BookView(DEPTH)
        book = view.fold(event)
        if book is not None:
            self._book, self._book_ns, self.is_partial = book, event.receive_ns, False
        elif isinstance(event, BookDelta) and (self._book is None or self.is_partial):
            self._fold_partial(connection, event)

    def _fold_partial(self, connection: str, event: BookDelta[str]) -> None:
        """Learn levels from an update alone: each has the whole size of its level."""
        if connection != self._partial_of:
            if self._partial_of and event.receive_ns - self._book_ns < PARTIAL_OLD_NS:
                return  # another connection may be behind, and bring back what is gone
            self._forget_book()
            self._partial_of = connection
        try:
            self._partial.apply(event.bids, event.asks)
        except BookInvalid:
            self._forget_book()
        else:
            self._book, self._book_ns, self.is_partial = self._partial, event.receive_ns, True

    def _forget_book(self) -> None:
        self._book, self.is_partial = None, False
        self._partial.clear()
        self._partial_of = ""


def _connection_of(worker: str) -> str:
    """Return the connection of the worker ``connection.side``."""
    return worker.rpartition(".")[0]
