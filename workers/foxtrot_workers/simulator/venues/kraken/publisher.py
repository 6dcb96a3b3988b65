"""The market published as Kraken publishes it, WebSocket v2. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord
from foxtrot_workers.simulator.market.publisher import Message, Publisher
from foxtrot_workers.simulator.market.views import DepthView
from foxtrot_workers.simulator.venues.kraken import messages
from foxtrot_workers.simulator.venues.kraken.session import DEPTHS
from foxtrot_workers.simulator.venues.venue import SNAPSHOT

__all__ = ["KrakenPublisher"]

_PAST_TRADES = 50
"""Trades of the snapshot."""

_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080}
"""Intervals of the market in minutes."""


class _Pair:
    """Topics of one pair, and what was published of it."""

    def __init__(self, state: SymbolState) -> None:
        self.state = state
        self.name = messages.name_of(state.instrument)
        self.trades = f"trade/{self.name}"
        self.by_trades = f"ticker/trades/{self.name}"
        self.by_best = f"ticker/bbo/{self.name}"
        self.books = {f"book/{depth}/{self.name}": DepthView(depth, removes=False) for depth in DEPTHS}
        self.candles = {interval: f"ohlc/{minutes}/{self.name}" for interval, minutes in _MINUTES.items()}
        self.best_is_new = False

    def streams(self) -> list[str]:
        return [self.trades, self.by_trades, self.by_best, *self.books, *self.candles.values()]


class KrakenPublisher(Publisher):
    """Trades at once, books and best levels each 10 ms: what happens in between is one message."""

    tick_ms = 10

    def __init__(self) -> None:
        super().__init__()
        self._pairs: dict[str, _Pair] = {}
        self._by_topic: dict[str, _Pair] = {}

    def knows(self, name: str) -> bool:
        """Return whether there is a pair `name`, such as ``BTC/USD``."""
        return any(pair.name == name for pair in self._pairs.values())

    def add(self, state: SymbolState) -> None:
        pair = self._pairs[state.instrument.symbol] = _Pair(state)
        self._by_topic.update(dict.fromkeys(pair.streams(), pair))

    def streams(self) -> list[str]:
        return list(self._by_topic)

    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        pair = self._pairs[state.instrument.symbol]
        payload = messages.trades(state.instrument, "update", trades) if pair.trades in self.wanted else b""
        out.append(Message(pair.trades, agg.first_id, agg.last_id, payload))
        if pair.by_trades in self.wanted:
            out.append(Message(pair.by_trades, now_ms, now_ms, messages.ticker(state, "update", now_ms)))

    def top_changed(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        self._pairs[state.instrument.symbol].best_is_new = True

    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        pair = self._pairs[state.instrument.symbol]
        for topic, view in pair.books.items():
            if topic not in self.wanted:
                view.pause()
            elif view.is_active:
                self._update(pair, topic, view, now_ms, out)
        if pair.best_is_new and pair.by_best in self.wanted:
            out.append(Message(pair.by_best, now_ms, now_ms, messages.ticker(state, "update", now_ms)))
        pair.best_is_new = False

    def _update(self, pair: _Pair, topic: str, view: DepthView, now_ms: int, out: list[Message]) -> None:
        instrument = pair.state.instrument
        bids, asks = view.changes(pair.state.book)
        if bids or asks:
            check = messages.checksum(instrument, *view.top(messages.CHECKSUM_LEVELS))
            payload = messages.book(instrument, "update", now_ms, bids, asks, check)
            out.append(Message(topic, view.number, view.number, payload))

    def bars(self, state: SymbolState, ended: Sequence[tuple[str, Bar, bool]], now_ms: int, out: list[Message]) -> None:
        pair = self._pairs[state.instrument.symbol]
        for interval, bar, _ in ended:
            topic = pair.candles.get(interval)
            if topic is not None and topic in self.wanted:
                payload = messages.ohlc(state.instrument, "update", _MINUTES[interval], bar)
                out.append(Message(topic, now_ms, now_ms, payload))

    def welcome(self, stream: str, now_ms: int) -> list[Message]:
        """The snapshot of a book, of a ticker, or of past trades."""
        pair = self._by_topic.get(stream)
        if pair is None:
            return []
        state, name = pair.state, stream + SNAPSHOT
        view = pair.books.get(stream)
        if view is not None:
            view.refresh(state.book)
            bids, asks = view.top(view.levels)
            payload = messages.book(
                state.instrument, "snapshot", now_ms, bids, asks, messages.checksum(state.instrument, bids, asks)
            )
            return [Message(name, view.number, view.number, payload)]
        if stream == pair.trades:
            past = list(islice(reversed(state.trades), _PAST_TRADES))[::-1]
            last_id = past[-1].trade_id if past else 0
            return [Message(name, last_id, last_id, messages.trades(state.instrument, "snapshot", past))]
        if stream in (pair.by_trades, pair.by_best):
            return [Message(name, now_ms, now_ms, messages.ticker(state, "snapshot", now_ms))]
        return []
