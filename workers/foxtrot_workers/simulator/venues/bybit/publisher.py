"""The market published as Bybit publishes it. Pure.

Spot, linear and inverse symbols of one name are one market here; they differ by address and identifiers of trades.
"""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord
from foxtrot_workers.simulator.market.publisher import Message, Publisher
from foxtrot_workers.simulator.market.views import DepthView
from foxtrot_workers.simulator.venues.bybit import messages
from foxtrot_workers.simulator.venues.bybit.names import CATEGORIES, is_offered, trade_id_text
from foxtrot_workers.simulator.venues.venue import SNAPSHOT

__all__ = ["BybitPublisher"]

_DEPTH_MS = {1: 10, 50: 20, 200: 100, 1000: 200}
"""Levels of the books, and how often each is published."""

_TOP_AGAIN_MS = 3_000
"""An unchanged best level is sent again after this time."""

_TICKER_MS = 100
_FIRST_UPDATE = 18_000_000

_KLINES = {
    **{f"{minutes}m": str(minutes) for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}h": str(60 * hours) for hours in (1, 2, 4, 6, 12)},
    "1d": "D",
    "1w": "W",
    "1M": "M",
}
"""Intervals of the market by Bybit's."""


class _Book:
    """A book of one depth, as published."""

    def __init__(self, category: str, symbol: str, depth: int) -> None:
        self.name = f"orderbook.{depth}.{symbol}"
        self.topic = f"{category}/{self.name}"
        self.depth = depth
        self.view = DepthView(depth)
        self.update = _FIRST_UPDATE
        self.at_ms = 0
        self.sent_ms = 0


class _Symbol:
    """Topics of one symbol of one category, and what was published of it."""

    def __init__(self, category: str, state: SymbolState) -> None:
        symbol = state.instrument.symbol
        self.category = category
        self.state = state
        self.trade_name = f"publicTrade.{symbol}"
        self.ticker_name = f"tickers.{symbol}"
        self.trades = f"{category}/{self.trade_name}"
        self.ticker = f"{category}/{self.ticker_name}"
        self.ticker_ms = 0
        self.ticker_fields: dict[str, str] = {}
        self.books = [_Book(category, symbol, depth) for depth in _DEPTH_MS]
        self.klines = {interval: f"{category}/kline.{name}.{symbol}" for interval, name in _KLINES.items()}

    @property
    def sequence(self) -> int:
        """Orders books and trades of the symbol against one another."""
        return self.state.book.update_id

    def streams(self) -> list[str]:
        return [self.trades, self.ticker, *(book.topic for book in self.books), *self.klines.values()]


class BybitPublisher(Publisher):
    """Trades at once, books at the pace of their depth."""

    tick_ms = 10

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, list[_Symbol]] = {}
        self._topics: set[str] = set()
        self._by_book: dict[str, tuple[_Symbol, _Book]] = {}
        self._by_ticker: dict[str, _Symbol] = {}
        self.categories: set[str] = set()
        """Those that have had a connection: of others nothing is published."""

    def knows(self, category: str, name: str) -> bool:
        """Return whether `category` has the topic `name`."""
        return f"{category}/{name}" in self._topics

    def update_of(self, category: str, symbol: str, depth: int) -> int:
        """Return ``u`` of the last message of a book."""
        found = self._by_book.get(f"{category}/orderbook.{depth}.{symbol}")
        return _FIRST_UPDATE if found is None else found[1].update

    def add(self, state: SymbolState) -> None:
        offered = [category for category in CATEGORIES if is_offered(category, state.instrument)]
        symbols = self._symbols[state.instrument.symbol] = [_Symbol(category, state) for category in offered]
        for symbol in symbols:
            self._topics.update(symbol.streams())
            self._by_ticker[symbol.ticker] = symbol
            self._by_book.update({book.topic: (symbol, book) for book in symbol.books})

    def streams(self) -> list[str]:
        return [stream for symbols in self._symbols.values() for symbol in symbols for stream in symbol.streams()]

    def restarted(self, state: SymbolState) -> None:
        """Books begin again with ``u`` 1, which is a snapshot."""
        for symbol in self._symbols[state.instrument.symbol]:
            for book in symbol.books:
                book.update = 0

    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        for symbol in self._symbols[state.instrument.symbol]:
            if symbol.category not in self.categories:
                continue
            payload = b""
            if symbol.trades in self.wanted:
                payload = messages.trades(
                    state.instrument, symbol.category, symbol.trade_name, now_ms, trades, symbol.sequence
                )
            first, last = (_number(symbol.category, each) for each in (agg.first_id, agg.last_id))
            out.append(Message(symbol.trades, first, last, payload))

    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        for symbol in self._symbols[state.instrument.symbol]:
            for book in symbol.books:
                if book.topic not in self.wanted:
                    book.view.pause()
                elif book.view.is_active and now_ms - book.at_ms >= _DEPTH_MS[book.depth]:
                    book.at_ms = now_ms
                    self._publish(symbol, book, now_ms, out)
            if symbol.ticker in self.wanted and now_ms - symbol.ticker_ms >= _TICKER_MS and symbol.ticker_fields:
                symbol.ticker_ms = now_ms
                self._publish_ticker(symbol, now_ms, out)

    def _publish(self, symbol: _Symbol, book: _Book, now_ms: int, out: list[Message]) -> None:
        view = book.view
        bids, asks = view.changes(symbol.state.book)
        changed = bool(bids or asks)
        again = book.depth == 1 and now_ms - book.sent_ms >= _TOP_AGAIN_MS
        if not changed and not again and book.update:
            return
        book.update += changed or not book.update
        book.sent_ms = now_ms
        kind = "snapshot" if book.depth == 1 or book.update == 1 else "delta"
        if kind == "snapshot":
            bids, asks = view.top(book.depth)
        out.append(Message(book.topic, book.update, book.update, self._book(symbol, book, kind, now_ms, bids, asks)))

    def _book(
        self,
        symbol: _Symbol,
        book: _Book,
        kind: str,
        now_ms: int,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
    ) -> bytes:
        return messages.book(symbol.state.instrument, book.name, kind, now_ms, bids, asks, book.update, symbol.sequence)

    def _publish_ticker(self, symbol: _Symbol, now_ms: int, out: list[Message]) -> None:
        fields = messages.ticker_fields(symbol.state, symbol.category, now_ms)
        changed = {name: value for name, value in fields.items() if symbol.ticker_fields.get(name) != value}
        if not changed:
            return
        symbol.ticker_fields = fields
        kind, sent = "snapshot", fields
        if symbol.category != "spot":
            kind, sent = "delta", {"symbol": fields["symbol"], **changed}
        payload = messages.ticker(symbol.ticker_name, kind, now_ms, sent, symbol.sequence)
        out.append(Message(symbol.ticker, now_ms, now_ms, payload))

    def bars(self, state: SymbolState, ended: Sequence[tuple[str, Bar, bool]], now_ms: int, out: list[Message]) -> None:
        for symbol in self._symbols[state.instrument.symbol]:
            for interval, bar, closed in ended:
                topic = symbol.klines.get(interval)
                if topic is not None and topic in self.wanted:
                    name = topic.partition("/")[2]
                    payload = messages.kline(state.instrument, name, _KLINES[interval], now_ms, bar, closed=closed)
                    out.append(Message(topic, now_ms, now_ms, payload))

    def welcome(self, stream: str, now_ms: int) -> list[Message]:
        """The snapshot of a book or a ticker."""
        if stream in self._by_ticker:
            symbol = self._by_ticker[stream]
            symbol.ticker_fields = messages.ticker_fields(symbol.state, symbol.category, now_ms)
            payload = messages.ticker(symbol.ticker_name, "snapshot", now_ms, symbol.ticker_fields, symbol.sequence)
            return [Message(stream + SNAPSHOT, now_ms, now_ms, payload)]
        if stream not in self._by_book:
            return []
        symbol, book = self._by_book[stream]
        if not book.view.is_active:
            book.view.refresh(symbol.state.book)
            book.update += 1
        bids, asks = book.view.top(book.depth)
        payload = self._book(symbol, book, "snapshot", now_ms, bids, asks)
        return [Message(stream + SNAPSHOT, book.update, book.update, payload)]


def _number(category: str, trade_id: int) -> int:
    """Return the identifier of a trade in the ledger: the number that clients see, or the last part of the UUID."""
    return int(trade_id_text(category, trade_id)) if category == "spot" else trade_id
