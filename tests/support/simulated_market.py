"""A simulated market without a server: time and subscriptions are those of the test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from foxtrot_workers.simulator.market.market import Market, MarketOptions, SymbolState
from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.session import Close, Send, Session
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["START_MS", "PlainBook", "SimulatedMarket", "ask", "json_of", "rest"]

START_MS = 1_700_000_000_000

Rows = Iterable[Sequence[Any]]


class SimulatedMarket:
    """The market of `venue`, and what it sends to subscribers."""

    def __init__(
        self, venue: Venue, symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"), seed: int = 3, **options: Any
    ) -> None:
        self.venue = venue
        self.now_ms = START_MS
        self.market = Market(symbols, seed, START_MS, venue.publisher, MarketOptions(**options))
        self.topics: dict[str, None] = {}
        venue.publisher.wanted = self.topics

    def state(self, symbol: str = "BTCUSDT") -> SymbolState:
        return self.market.states[symbol]

    def subscribe(self, *topics: str) -> list[Message]:
        """Subscribe; returns what a new subscriber is sent first."""
        self.topics.update(dict.fromkeys(topics))
        return [message for topic in topics for message in self.venue.publisher.welcome(topic, self.now_ms)]

    def drive(self, orders: int, step_ms: int = 7) -> list[Message]:
        """Make orders; returns the messages of subscribed topics."""
        found: list[Message] = []
        for _ in range(orders):
            self.now_ms += step_ms
            found += self.market.advance(self.now_ms)
            found += self.market.act(self.now_ms)
        return [message for message in found if message.stream in self.topics]

    def settle(self) -> list[Message]:
        """Let all intervals end without another order."""
        self.now_ms += 5_000
        return [message for message in self.market.advance(self.now_ms) if message.stream in self.topics]


class PlainBook:
    """A book as dictionaries of decimals: nothing of the code under test folds it."""

    def __init__(self, bids: Rows, asks: Rows, depth: int = 10**6) -> None:
        self.depth = depth
        self.bids = {Decimal(str(row[0])): Decimal(str(row[1])) for row in bids}
        self.asks = {Decimal(str(row[0])): Decimal(str(row[1])) for row in asks}

    def apply(self, bids: Rows, asks: Rows, *, cut: bool = False) -> None:
        """Set levels; `cut`: keep the best `depth` of each side."""
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for row in rows:
                price, size = Decimal(str(row[0])), Decimal(str(row[1]))
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        if cut:
            self.bids = dict(sorted(self.bids.items(), reverse=True)[: self.depth])
            self.asks = dict(sorted(self.asks.items())[: self.depth])

    def equals(self, state: SymbolState) -> bool:
        """Whether it is the best levels of the market's own book."""
        instrument, book = state.instrument, state.book
        tick, lot = Decimal(10) ** -instrument.price_decimals, Decimal(10) ** -instrument.size_decimals
        bids = {price * tick: lots * lot for price, lots in book.top_bids(self.depth)}
        asks = {price * tick: lots * lot for price, lots in book.top_asks(self.depth)}
        return (self.bids, self.asks) == (bids, asks)


def json_of(message: Message) -> Any:
    """The payload, with numbers as decimals."""
    return json.loads(message.payload, parse_float=Decimal)


def ask(session: Session, request: Any, now_ns: int = START_MS * 1_000_000) -> list[Any]:
    """The answers of a session to a request; a close is its code."""
    data = request if isinstance(request, bytes) else json.dumps(request).encode()
    return [_decoded(reply) for reply in session.on_message(data, now_ns)]


def _decoded(reply: Send | Close) -> Any:
    return json.loads(reply.text) if isinstance(reply, Send) else reply.code


def rest(simulated: SimulatedMarket, path: str, query: Mapping[str, str] | None = None) -> Any:
    """The body of a REST answer, which must have status 200."""
    answer = simulated.venue.answer(simulated.market, path, query or {}, simulated.now_ms)
    assert answer.status == 200, answer
    return json.loads(answer.body, parse_float=Decimal)
