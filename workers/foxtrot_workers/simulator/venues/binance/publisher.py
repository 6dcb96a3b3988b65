"""The market published as Binance spot publishes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.simulator.market.bars import INTERVALS, Bar
from foxtrot_workers.simulator.market.book import Changes
from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord
from foxtrot_workers.simulator.market.publisher import Message, Publisher
from foxtrot_workers.simulator.venues.binance import messages

__all__ = ["BinancePublisher"]

_PARTIAL_LEVELS = (5, 10, 20)


class _Symbol:
    """Names of the streams of one symbol, and what was published of its book."""

    def __init__(self, symbol: str, update_id: int) -> None:
        lower = symbol.lower()
        self.trade = f"{lower}@trade"
        self.agg = f"{lower}@aggTrade"
        self.quote = f"{lower}@bookTicker"
        self.fast = f"{lower}@depth@100ms"
        self.slow = f"{lower}@depth"
        self.partial_fast = [(f"{lower}@depth{n}@100ms", n) for n in _PARTIAL_LEVELS]
        self.partial_slow = [(f"{lower}@depth{n}", n) for n in _PARTIAL_LEVELS]
        self.klines = {interval: f"{lower}@kline_{interval}" for interval in INTERVALS}
        self.ticker = f"{lower}@ticker"
        self.mini = f"{lower}@miniTicker"
        self.restart(update_id)

    def restart(self, update_id: int) -> None:
        """Begin the depth streams after `update_id`."""
        self.fast_changes = Changes(update_id + 1)
        self.slow_changes = Changes(update_id + 1)
        self.partial_fast_id = self.partial_slow_id = 0

    def streams(self) -> list[str]:
        return [
            self.trade,
            self.agg,
            self.quote,
            self.fast,
            self.slow,
            *(name for name, _ in self.partial_fast),
            *(name for name, _ in self.partial_slow),
            *self.klines.values(),
            self.ticker,
            self.mini,
        ]


class BinancePublisher(Publisher):
    """Trades and quotes at once, books each 100 ms and each second, the rest each second."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, _Symbol] = {}

    def add(self, state: SymbolState) -> None:
        book = state.book
        symbol = self._symbols[state.instrument.symbol] = _Symbol(state.instrument.symbol, book.update_id)
        book.changes = (symbol.fast_changes, symbol.slow_changes)

    def streams(self) -> list[str]:
        return [stream for symbol in self._symbols.values() for stream in symbol.streams()]

    def restarted(self, state: SymbolState) -> None:
        symbol = self._symbols[state.instrument.symbol]
        symbol.restart(0)
        state.book.changes = (symbol.fast_changes, symbol.slow_changes)

    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        symbol, instrument, wanted = self._symbols[state.instrument.symbol], state.instrument, self.wanted
        payload = b""
        listened = symbol.trade in wanted
        for trade in trades:
            if listened:
                payload = messages.trade(
                    instrument, now_ms, trade.trade_id, trade.price, trade.lots, buyer_is_maker=trade.buyer_is_maker
                )
            out.append(Message(symbol.trade, trade.trade_id, trade.trade_id, payload))
        payload = b""
        if symbol.agg in wanted:
            payload = messages.agg_trade(
                instrument,
                now_ms,
                agg.agg_id,
                agg.price,
                agg.lots,
                agg.first_id,
                agg.last_id,
                buyer_is_maker=agg.buyer_is_maker,
            )
        out.append(Message(symbol.agg, agg.agg_id, agg.agg_id, payload))

    def top_changed(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        symbol, book = self._symbols[state.instrument.symbol], state.book
        payload = messages.book_ticker(state.instrument, book) if symbol.quote in self.wanted else b""
        out.append(Message(symbol.quote, book.update_id, book.update_id, payload))

    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        symbol, book = self._symbols[state.instrument.symbol], state.book
        if book.update_id >= symbol.fast_changes.first_id:
            self._depth(state, symbol.fast, symbol.fast_changes, now_ms, out)
            symbol.fast_changes = Changes(book.update_id + 1)
            book.changes = (symbol.fast_changes, symbol.slow_changes)
        if book.update_id != symbol.partial_fast_id:
            symbol.partial_fast_id = book.update_id
            self._partial(state, symbol.partial_fast, out)

    def second(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        symbol, book = self._symbols[state.instrument.symbol], state.book
        if book.update_id >= symbol.slow_changes.first_id:
            self._depth(state, symbol.slow, symbol.slow_changes, now_ms, out)
            symbol.slow_changes = Changes(book.update_id + 1)
            book.changes = (symbol.fast_changes, symbol.slow_changes)
        if book.update_id != symbol.partial_slow_id:
            symbol.partial_slow_id = book.update_id
            self._partial(state, symbol.partial_slow, out)
        if symbol.ticker in self.wanted:
            payload = messages.day_ticker(state.instrument, now_ms, state.bars.day(now_ms), book, state.last_lots)
            out.append(Message(symbol.ticker, now_ms, now_ms, payload))
        if symbol.mini in self.wanted:
            payload = messages.mini_ticker(state.instrument, now_ms, state.bars.day(now_ms))
            out.append(Message(symbol.mini, now_ms, now_ms, payload))

    def bars(self, state: SymbolState, ended: Sequence[tuple[str, Bar, bool]], now_ms: int, out: list[Message]) -> None:
        symbol = self._symbols[state.instrument.symbol]
        for interval, bar, closed in ended:
            stream = symbol.klines[interval]
            if stream in self.wanted:
                payload = messages.kline(state.instrument, now_ms, interval, bar, closed=closed)
                out.append(Message(stream, now_ms, now_ms, payload))

    def _depth(self, state: SymbolState, stream: str, changes: Changes, now_ms: int, out: list[Message]) -> None:
        last_id, payload = state.book.update_id, b""
        if stream in self.wanted:
            payload = messages.depth_update(state.instrument, now_ms, changes, last_id)
        out.append(Message(stream, changes.first_id, last_id, payload))

    def _partial(self, state: SymbolState, names: list[tuple[str, int]], out: list[Message]) -> None:
        last_id = state.book.update_id
        for stream, limit in names:
            if stream in self.wanted:
                payload = messages.partial_depth(state.instrument, state.book, limit)
                out.append(Message(stream, last_id, last_id, payload))
