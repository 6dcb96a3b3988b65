"""Coinbase Advanced Trade, public channels. Documents: Coinbase Developer Platform, "Advanced Trade WebSocket".

A frame names its channel in its first bytes, which tell the parser (`routes`), and its place in the sequence of the
connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from foxtrot_protocol.events import EVENT_BAR, EVENT_MARKET_TRADE, EVENT_TICKER, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import Adapter, Limits, RestRequest, Topic, UnrecognizedFrame, VenueFacts
from foxtrot_workers.exchanges.coinbase_advanced.constants import (
    ADOPTED_MAX,
    CHANNELS,
    FACTS,
    HEARTBEATS,
    LIMITS,
    PRODUCTS_PATH,
)
from foxtrot_workers.exchanges.coinbase_advanced.history import History
from foxtrot_workers.exchanges.coinbase_advanced.instruments import (
    instrument_of,
    is_possible_product,
    parse_instruments,
)
from foxtrot_workers.exchanges.coinbase_advanced.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.coinbase_advanced.messages import decode_other, decode_subscriptions, sent_name
from foxtrot_workers.exchanges.coinbase_advanced.parsers import Parsers
from foxtrot_workers.exchanges.coinbase_advanced.requests import Requests, opening_texts
from foxtrot_workers.exchanges.coinbase_advanced.routes import by_beginning, by_channel

__all__ = ["CoinbaseAdvanced"]

_SUBSCRIPTIONS = "subscriptions"


class CoinbaseAdvanced(Adapter):
    """``exchange = "coinbase_advanced"``."""

    name: ClassVar[str] = "coinbase_advanced"
    exchange: ClassVar[str] = "COINBASE_ADVANCED"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://advanced-trade-ws.coinbase.com"
    rest_url: ClassVar[str] = "https://api.coinbase.com"
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # identifiers of a product are dense
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests(self.limits.topics_per_request)
        self._parsers = Parsers(self, self._adopt)
        self._by_channel = by_channel(self._parsers)
        self._by_beginning = by_beginning(self._parsers)
        self._history = History(self.exchange)

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or products that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        topics: dict[str, Topic] = {}
        names: dict[str, str] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_product(symbol):
                raise ValueError(f"{symbol!r} cannot be a product of {self.name}")
            other = names.setdefault(sent_name(symbol), symbol)
            if other != symbol:
                raise ValueError(f"{other} and {symbol} come under one name: they need connections of their own")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def opening(self) -> list[str]:
        return opening_texts()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        accepted = self._parsers.wires.values()
        for topic in topics:
            if topic.wire not in accepted:
                self._parsers.open(topic.wire)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(frame[: frame.find(b",")])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        parser = self._by_channel.get(other.channel)
        if parser is not None:
            parser(frame, receive_ns, out)
        elif other.channel == _SUBSCRIPTIONS:
            self._take_subscriptions(frame, receive_ns, out)
        elif other.channel == HEARTBEATS:
            if other.sequence is not None:
                self._parsers.follow(other.sequence, receive_ns, out)
        elif other.type == "error":
            self.notices.extend(self._requests.take_refusal(other.message))
        else:
            if other.sequence is not None:
                self._parsers.skip(other.sequence)
            raise UnrecognizedFrame(other.channel or other.type or "message without channel")

    def _take_subscriptions(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        message = decode_subscriptions(frame)
        self._parsers.follow(message.sequence, receive_ns, out)
        products = {channel: some for event in message.events for channel, some in event.subscriptions.items()}
        for notice in self._requests.take_subscriptions(products):
            if not notice.subscribed:
                self._forget(notice.wires)
            self.notices.append(notice)

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self._parsers.close(wire)
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)

    def _adopt(self, wire: str) -> None:
        product = wire.partition(":")[2]
        if not self.adopt or len(self._parsers.wires) >= ADOPTED_MAX or not is_possible_product(product):
            raise UnrecognizedFrame(wire)
        self._parsers.open(wire)

    # -- REST

    def backfill_page(
        self, symbol: str, stream: str, first_id: int, last_id: int, start_ns: int, end_ns: int
    ) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or f"{CHANNELS['trade']}:{symbol}" not in self._parsers.wires.values():
            return None
        return self._history.request(symbol, last_id, start_ns, end_ns)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return self._history.parse(path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return PRODUCTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base and quote."""
        return instrument_of(symbol)
