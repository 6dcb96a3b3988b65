"""The market published as OKX publishes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord
from foxtrot_workers.simulator.market.publisher import Message, Publisher
from foxtrot_workers.simulator.market.views import DepthView
from foxtrot_workers.simulator.venues.okx import messages
from foxtrot_workers.simulator.venues.okx.session import okx_topic
from foxtrot_workers.simulator.venues.venue import SNAPSHOT

__all__ = ["BOOK_LEVELS", "BUSINESS_CHANNELS", "CHANNELS", "OkxPublisher"]

_BOOK_MS = 100

BOOK_LEVELS = 400

_CANDLES = {
    **{interval: f"candle{interval}" for interval in ("1s", "1m", "3m", "5m", "15m", "30m")},
    **{f"{hours}h": f"candle{hours}H" for hours in (1, 2, 4)},
    **{f"{hours}h": f"candle{hours}Hutc" for hours in (6, 12)},
    "1d": "candle1Dutc",
    "3d": "candle3Dutc",
    "1w": "candle1Wutc",
    "1M": "candle1Mutc",
}
"""Intervals of the market, which begin in UTC, by OKX's channel."""

BUSINESS_CHANNELS = frozenset(("trades-all", *_CANDLES.values()))
"""Channels of the address ``/ws/v5/business``."""

CHANNELS = frozenset(("trades", "bbo-tbt", "books", "books5", "tickers"))
"""Channels of the address ``/ws/v5/public``."""


class _Symbol:
    """Topics of one instrument, and what was published of it."""

    def __init__(self, state: SymbolState) -> None:
        self.state = state
        self.name = messages.name_of(state.instrument)
        self.trades = self._topic("trades")
        self.trades_all = self._topic("trades-all")
        self.top = self._topic("bbo-tbt")
        self.books = self._topic("books")
        self.books5 = self._topic("books5")
        self.tickers = self._topic("tickers")
        self.candles = {interval: self._topic(channel) for interval, channel in _CANDLES.items()}
        self.view = DepthView(BOOK_LEVELS)
        self.top_id = self.five_id = self.ticker_id = 0
        self.books_ms = 0

    def _topic(self, channel: str) -> str:
        return okx_topic({"channel": channel, "instId": self.name})

    def streams(self) -> list[str]:
        plain = (self.trades, self.trades_all, self.top, self.books, self.books5, self.tickers)
        return [*plain, *self.candles.values()]


class OkxPublisher(Publisher):
    """Trades at once, merged by price; the best levels each 10 ms, books and tickers each 100 ms."""

    tick_ms = 10

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, _Symbol] = {}
        self._by_book: dict[str, _Symbol] = {}

    def knows(self, name: str) -> bool:
        """Return whether there is an instrument `name`, such as ``BTC-USDT``."""
        return any(symbol.name == name for symbol in self._symbols.values())

    def add(self, state: SymbolState) -> None:
        symbol = self._symbols[state.instrument.symbol] = _Symbol(state)
        self._by_book[symbol.books] = symbol

    def streams(self) -> list[str]:
        return [stream for symbol in self._symbols.values() for stream in symbol.streams()]

    def restarted(self, state: SymbolState) -> None:
        symbol = self._symbols[state.instrument.symbol]
        symbol.top_id = symbol.five_id = symbol.ticker_id = 0

    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        symbol, instrument = self._symbols[state.instrument.symbol], state.instrument
        buys, payload = not agg.buyer_is_maker, b""
        if symbol.trades in self.wanted:
            row = messages.trade(instrument, now_ms, agg.last_id, agg.price, agg.lots, len(trades), taker_buys=buys)
            payload = messages.frame("trades", symbol.name, row)
        out.append(Message(symbol.trades, agg.first_id, agg.last_id, payload))
        if symbol.trades_all in self.wanted:
            for each in trades:
                row = messages.trade(instrument, now_ms, each.trade_id, each.price, each.lots, None, taker_buys=buys)
                payload = messages.frame("trades-all", symbol.name, row)
                out.append(Message(symbol.trades_all, each.trade_id, each.trade_id, payload))

    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        symbol, instrument, book = self._symbols[state.instrument.symbol], state.instrument, state.book
        if symbol.top in self.wanted and self._top_differs(symbol):
            payload = messages.frame("bbo-tbt", symbol.name, messages.top(instrument, now_ms, book))
            out.append(Message(symbol.top, book.update_id, book.update_id, payload))
        if now_ms - symbol.books_ms < _BOOK_MS:
            return
        symbol.books_ms = now_ms
        if symbol.books not in self.wanted:
            symbol.view.pause()
        elif symbol.view.is_active:
            self._update(symbol, now_ms, out)
        if symbol.books5 in self.wanted and symbol.five_id != book.update_id:
            symbol.five_id = book.update_id
            row = messages.book(instrument, now_ms, book.top_bids(5), book.top_asks(5), book.update_id)
            payload = messages.frame("books5", symbol.name, row)
            out.append(Message(symbol.books5, book.update_id, book.update_id, payload))
        if symbol.tickers in self.wanted and symbol.ticker_id != book.update_id:
            symbol.ticker_id = book.update_id
            row = messages.ticker(instrument, now_ms, state.bars.day(now_ms), book, state.last_lots)
            out.append(Message(symbol.tickers, now_ms, now_ms, messages.frame("tickers", symbol.name, row)))

    def _top_differs(self, symbol: _Symbol) -> bool:
        book = symbol.state.book
        if symbol.top_id == book.update_id:
            return False
        symbol.top_id = book.update_id
        return True

    def _update(self, symbol: _Symbol, now_ms: int, out: list[Message]) -> None:
        view, state = symbol.view, symbol.state
        previous = view.update_id
        bids, asks = view.changes(state.book)
        if bids or asks:
            row = messages.book_update(state.instrument, now_ms, bids, asks, previous, view.update_id)
            payload = messages.frame("books", symbol.name, row, "update")
            out.append(Message(symbol.books, previous, view.update_id, payload))

    def bars(self, state: SymbolState, ended: Sequence[tuple[str, Bar, bool]], now_ms: int, out: list[Message]) -> None:
        symbol = self._symbols[state.instrument.symbol]
        for interval, bar, closed in ended:
            topic = symbol.candles.get(interval)
            if topic is not None and topic in self.wanted:
                row = messages.candle(state.instrument, bar, closed=closed)
                out.append(Message(topic, now_ms, now_ms, messages.frame(_CANDLES[interval], symbol.name, row)))

    def welcome(self, stream: str, now_ms: int) -> list[Message]:
        """The snapshot of a book."""
        symbol = self._by_book.get(stream)
        if symbol is None:
            return []
        view, instrument = symbol.view, symbol.state.instrument
        view.refresh(symbol.state.book)
        bids, asks = view.top(BOOK_LEVELS)
        row = messages.book_update(instrument, now_ms, bids, asks, -1, view.update_id)
        payload = messages.frame("books", symbol.name, row, "snapshot")
        return [Message(stream + SNAPSHOT, view.update_id, view.update_id, payload)]
