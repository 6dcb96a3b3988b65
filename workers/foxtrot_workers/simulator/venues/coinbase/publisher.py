"""The market published as Coinbase Exchange publishes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord
from foxtrot_workers.simulator.market.publisher import Message, Publisher
from foxtrot_workers.simulator.market.views import DepthView
from foxtrot_workers.simulator.venues.coinbase import messages
from foxtrot_workers.simulator.venues.venue import SNAPSHOT

__all__ = ["CoinbasePublisher"]

_LEVELS_MAX = 1_000_000
"""``level2_batch`` has the whole book."""

_TICKER_BATCH_MS = 5_000


class _Product:
    """Topics of one product, and what was published of it."""

    def __init__(self, state: SymbolState) -> None:
        self.state = state
        self.name = messages.name_of(state.instrument)
        self.matches = f"matches:{self.name}"
        self.book = f"level2_batch:{self.name}"
        self.ticker = f"ticker:{self.name}"
        self.ticker_batch = f"ticker_batch:{self.name}"
        self.heartbeat = f"heartbeat:{self.name}"
        self.view = DepthView(_LEVELS_MAX)
        self.batch_ms = 0

    def streams(self) -> list[str]:
        return [self.matches, self.book, self.ticker, self.ticker_batch, self.heartbeat]


class CoinbasePublisher(Publisher):
    """Matches and tickers at once, books each 50 ms, heartbeats each second."""

    tick_ms = 50

    def __init__(self) -> None:
        super().__init__()
        self._products: dict[str, _Product] = {}
        self._by_topic: dict[str, _Product] = {}

    def knows(self, name: str) -> bool:
        """Return whether there is a product `name`, such as ``BTC-USD``."""
        return any(product.name == name for product in self._products.values())

    def add(self, state: SymbolState) -> None:
        product = self._products[state.instrument.symbol] = _Product(state)
        self._by_topic.update(dict.fromkeys(product.streams(), product))

    def streams(self) -> list[str]:
        return list(self._by_topic)

    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        product, payload = self._products[state.instrument.symbol], b""
        listened, sequence = product.matches in self.wanted, messages.sequence_of(state)
        for trade in trades:
            if listened:
                payload = messages.match("match", state.instrument, trade, sequence)
            out.append(Message(product.matches, trade.trade_id, trade.trade_id, payload))
        if product.ticker in self.wanted:
            payload = messages.ticker(state, trades[-1], now_ms)
            out.append(Message(product.ticker, agg.last_id, agg.last_id, payload))

    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        product = self._products[state.instrument.symbol]
        if product.book not in self.wanted:
            product.view.pause()
        elif product.view.is_active:
            bids, asks = product.view.changes(state.book)
            if bids or asks:
                payload = messages.l2update(state.instrument, now_ms, bids, asks)
                out.append(Message(product.book, product.view.number, product.view.number, payload))

    def second(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        product = self._products[state.instrument.symbol]
        if product.heartbeat in self.wanted:
            out.append(Message(product.heartbeat, now_ms, now_ms, messages.heartbeat(state, now_ms)))
        if product.ticker_batch in self.wanted and now_ms - product.batch_ms >= _TICKER_BATCH_MS and state.trades:
            product.batch_ms = now_ms
            payload = messages.ticker(state, state.trades[-1], now_ms)
            out.append(Message(product.ticker_batch, now_ms, now_ms, payload))

    def welcome(self, stream: str, now_ms: int) -> list[Message]:
        """The whole book; the last match; the last ticker."""
        product = self._by_topic.get(stream)
        if product is None:
            return []
        state, name = product.state, stream + SNAPSHOT
        if stream == product.book:
            product.view.refresh(state.book)
            bids, asks = product.view.top(_LEVELS_MAX)
            number, payload = product.view.number, messages.snapshot(state.instrument, bids, asks)
            return [Message(name, number, number, payload)]
        if not state.trades:
            return []
        last = state.trades[-1]
        if stream == product.matches:
            payload = messages.match("last_match", state.instrument, last, messages.sequence_of(state))
            return [Message(name, last.trade_id, last.trade_id, payload)]
        if stream in (product.ticker, product.ticker_batch):
            return [Message(name, last.trade_id, last.trade_id, messages.ticker(state, last, now_ms))]
        return []
