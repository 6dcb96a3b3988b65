"""Upbit, spot. Documents: Upbit developer centre, "WebSocket".

Answers come in binary frames that hold plain JSON; a data frame begins with its type and its market's code, and these
bytes tell which parser it needs (`routes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import EVENT_BAR, EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE, EVENT_TICKER, MarketEvent
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import Adapter, Limits, Pong, RestRequest, Topic, UnrecognizedFrame, VenueFacts
from foxtrot_workers.adapter.route_table import RouteTable
from foxtrot_workers.exchanges.upbit.constants import (
    ADOPTED_MAX,
    BOOK_UNITS,
    CHANNELS,
    FACTS,
    INSTRUMENTS_PATH,
    LIMITS,
)
from foxtrot_workers.exchanges.upbit.instruments import instrument_of, is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.upbit.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.upbit.messages import LONG, SHORT, OtherMessage, decode_other
from foxtrot_workers.exchanges.upbit.parsers import make_parser
from foxtrot_workers.exchanges.upbit.requests import Requests, parts_of, plain_code
from foxtrot_workers.exchanges.upbit.routes import CODE_FROM, head_of, short_head_of

__all__ = ["Upbit"]


class Upbit(Adapter):
    """``exchange = "upbit"``: Korea; Singapore, Indonesia and Thailand have books of their own, at other addresses."""

    name: ClassVar[str] = "upbit"
    exchange: ClassVar[str] = "UPBIT"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://api.upbit.com/websocket/v1"
    rest_url: ClassVar[str] = "https://api.upbit.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"upbit.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",  # ids promise no order, and recordings show that they have none
        EVENT_BBO: "latest",
        EVENT_BOOK: "latest",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests()
        self._long = RouteTable()
        self._short = RouteTable()
        self._by_head = self._long.by_key
        self._by_short_head = self._short.by_key
        self._wires: dict[tuple[str, str], str] = {}
        """By type and market: its topic, which may have a number of units."""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(set(BOOK_UNITS).intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_UNITS))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a market of {self.name}: they are like KRW-BTC")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}{BOOK_UNITS.get(channel, '')}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        wires = [topic.wire for topic in topics]
        for wire in wires:
            if wire not in self._long:
                self._open(wire)
        return self._requests.subscribe(wires)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe([topic.wire for topic in topics])

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            head = frame[: frame.find(b'",', CODE_FROM)]
            parser = self._by_head.get(head) or self._by_short_head.get(head)
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.code or other.short_code:
            self._parse_data(other, frame, receive_ns, out)
        elif other.error is not None:
            self.notices.append(self._requests.take_error(other.error))
        elif other.method == "LIST_SUBSCRIPTIONS":
            notices, ended = self._requests.take_list(other.ticket, other.result, self.last_data_ns)
            self._close(ended)
            self.notices.extend(notices)
        elif other.status:
            self.notices.append(Pong())
        else:
            raise UnrecognizedFrame("message without type, error and status")

    def _parse_data(self, other: OtherMessage, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        kind, code = other.type or other.short_type, plain_code(other.code or other.short_code)
        wire = self._wires.get((kind, code), "")
        if not wire and self.adopt and len(self._wires) < ADOPTED_MAX:
            wire = f"{kind}:{code}"
            self._open(wire)
        parser = (self._long if other.code else self._short).get(wire)
        if parser is None:
            raise UnrecognizedFrame(f"{kind} of {code}")
        parser(frame, receive_ns, out)

    def _open(self, wire: str) -> None:
        """Accept frames of the topic `wire` from now on, if it can be one."""
        kind, code = parts_of(wire)
        symbol = plain_code(code)
        long, short = make_parser(self, wire, LONG), make_parser(self, wire, SHORT)
        if long is not None and short is not None:
            self._wires[kind, symbol] = wire
            self._long.add(wire, long, head_of(kind, symbol))
            self._short.add(wire, short, short_head_of(kind, symbol))

    def _close(self, wires: Sequence[str]) -> None:
        for wire in wires:
            kind, code = parts_of(wire)
            self._wires.pop((kind, plain_code(code)), None)
            self._long.remove(wire)
            self._short.remove(wire)
            self.last_data_ns.pop(wire, None)

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return []  # every message is a full picture

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The code itself says quote and base."""
        return instrument_of(symbol)
