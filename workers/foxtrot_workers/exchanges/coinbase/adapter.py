"""Coinbase Exchange, public channels. Documents: Coinbase Developer Platform, "Exchange WebSocket".

A frame names its type in its first bytes, which tell the parser (`routes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from foxtrot_protocol.events import EVENT_MARKET_TRADE, EVENT_TICKER, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import Adapter, Limits, RestRequest, Topic, UnrecognizedFrame, VenueFacts
from foxtrot_workers.exchanges.coinbase.constants import CHANNELS, FACTS, HEARTBEAT, LIMITS, PRODUCTS_PATH
from foxtrot_workers.exchanges.coinbase.history import history_request, parse_history
from foxtrot_workers.exchanges.coinbase.instruments import (
    is_possible_product,
    listed_instruments,
    parse_instruments,
)
from foxtrot_workers.exchanges.coinbase.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.coinbase.messages import decode_other
from foxtrot_workers.exchanges.coinbase.requests import Requests
from foxtrot_workers.exchanges.coinbase.routes import Routes

__all__ = ["Coinbase"]


class Coinbase(Adapter):
    """``exchange = "coinbase"``."""

    name: ClassVar[str] = "coinbase"
    exchange: ClassVar[str] = "COINBASE"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws-feed.exchange.coinbase.com"
    rest_url: ClassVar[str] = "https://api.exchange.coinbase.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"exchange.coinbase.com", "pro.coinbase.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # identifiers of a product are dense
        EVENT_TICKER: "latest",
    }
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests(self.limits.topics_per_request)
        self._routes = Routes(self)
        self._by_beginning = self._routes.by_beginning

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel or an impossible symbol."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_product(symbol):
                raise ValueError(f"{symbol!r} cannot be a product of {self.name}")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            self._routes.add(topic.wire)
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
        parser = self._routes.by_type.get(other.type)
        if parser is not None:
            parser(frame, receive_ns, out)
        elif other.type == "subscriptions":
            for notice in self._requests.take_subscriptions(other.channels):
                if not notice.subscribed:
                    self._forget(notice.wires)
                self.notices.append(notice)
        elif other.type == "error":
            self.notices.extend(self._requests.take_refusal(other))
        elif other.type != HEARTBEAT:
            raise UnrecognizedFrame(other.type or "message without type")

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self._routes.remove(wire)
            self.last_data_ns.pop(wire, None)

    # -- REST

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or f"{CHANNELS['trade']}:{symbol}" not in self._routes:
            return None
        return history_request(symbol, last_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return PRODUCTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body)
