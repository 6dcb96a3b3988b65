"""Acme, an invented exchange, in a package of its own: an example for docs/writing-an-adapter.md.

Its documentation, in short. Requests are ``{"op":"sub","id":1,"args":["trades:BTC-USD"]}``, ``unsub`` likewise; each is
answered by ``{"op":"sub","id":1,"ok":["trades:BTC-USD"]}`` or ``{"op":"sub","id":1,"error":"no such market"}``. An idle
client sends ``ping`` and receives ``pong``; after 30 s without a frame the exchange closes. A book begins with a whole
picture (``prev`` 0); then each update names the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    BookFacts,
    Budget,
    Limits,
    Pong,
    Refused,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.chained_book import ChainedBook

__all__ = ["Acme"]

CHANNELS = {"trade": "trades", "book": "book"}
"""Configuration channel to the exchange's."""

NEVER = ("no such market", "no such channel")
"""Refusals that no retry changes; all others are retried later."""

Time = Annotated[int, Meta(ge=0, lt=2**43)]
"""Milliseconds since 1970; the bound keeps nanoseconds within 64 bits."""

Level = tuple[str, str]


class Head(Struct):
    """The fields that tell what a message is."""

    ch: str = ""
    op: str = ""
    id: int = 0
    ok: list[str] = []
    error: str = ""


class TradeMessage(Struct):
    """``{"ch":"trades:BTC-USD","id":7,"px":"64000.1","sz":"0.5","side":"buy","t":1700000000000}``."""

    id: Annotated[int, Meta(ge=0)]
    px: str
    sz: str
    side: Literal["buy", "sell"]
    t: Time


class BookMessage(Struct):
    """``{"ch":"book:BTC-USD","prev":4,"seq":5,"bids":[["63999.9","2"]],"asks":[],"t":1700000000000}``."""

    prev: int
    seq: Annotated[int, Meta(ge=0)]
    bids: list[Level]
    asks: list[Level]
    t: Time


# typed decoders refuse what the type does not allow, and skip all other keys
decode_head = msgspec.json.Decoder(Head).decode
decode_trade = msgspec.json.Decoder(TradeMessage).decode
decode_book = msgspec.json.Decoder(BookMessage).decode


class Acme(Adapter):
    """``exchange = "acme"``."""

    name: ClassVar[str] = "acme"
    exchange: ClassVar[str] = "ACME"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://stream.acme.example/v1"
    rest_url: ClassVar[str] = "https://api.acme.example"
    limits: ClassVar[Limits] = Limits(
        silence_s=30.0,
        ping_text="ping",
        ping_idle_s=15.0,
        send_interval_s=0.2,
        topics_max=200,
        stale_channel_s={"book": 60.0},
    )
    facts: ClassVar[VenueFacts | None] = VenueFacts(
        title="Acme",
        documentation="acme.example/docs",
        keep_alive="The worker sends the text `ping` after 15 s of silence; the exchange closes after 30 s",
        messages=Budget(10, 1.0),
        books={"book": BookFacts(snapshot="stream", order="prev = previous seq")},
        absent={"quote": "take the best levels of the book"},
        sources={
            "silence_s": "Connection",
            "ping_text": "Connection",
            "ping_idle_s": "ours: half of those 30 s",
            "send_interval_s": "ours: half of the messages that are allowed",
            "topics_max": "Limits",
            "stale_channel_s": "Book: pushed each second",
            "keep_alive": "Connection",
            "messages": "Limits",
            "books": "Book",
        },
    )
    identities: ClassVar[Mapping[str, IdentityRule]] = {EVENT_MARKET_TRADE: "sequence", EVENT_BOOK: "chained"}

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._symbols: dict[str, str] = {}  # wire name of a topic -> symbol
        self._books: dict[str, ChainedBook] = {}
        self._leaving: set[str] = set()
        self._sent: dict[int, list[str]] = {}  # id of a request -> its topics
        self._last_id = 0

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"acme has no channel {unknown[0]!r}")
        pairs = dict.fromkeys((channel, symbol) for channel in channels for symbol in symbols)
        return [Topic(channel, symbol, f"{CHANNELS[channel]}:{symbol}") for channel, symbol in pairs]

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            self._symbols[topic.wire] = topic.symbol
            self._leaving.discard(topic.wire)
        return self._requests("sub", topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        self._leaving.update(topic.wire for topic in topics)
        return self._requests("unsub", topics)

    def _requests(self, operation: str, topics: Sequence[Topic]) -> list[str]:
        wires = iter([topic.wire for topic in topics])
        texts = []
        while some := list(islice(wires, self.limits.topics_per_request)):
            self._last_id += 1
            self._sent[self._last_id] = some
            texts.append(msgspec.json.encode({"op": operation, "id": self._last_id, "args": some}).decode())
        return texts

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"pong":
            self.notices.append(Pong())
            return
        try:
            head = decode_head(frame)
            if head.op in ("sub", "unsub"):
                self._take_answer(head)
            else:
                self._take_data(head.ch, frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:  # msgspec lets these two through
            raise msgspec.DecodeError(str(error)) from None

    def _take_answer(self, head: Head) -> None:
        if head.error:
            wires = tuple(self._sent.pop(head.id, ()))
            retry: Literal["never", "later"] = "never" if head.error in NEVER else "later"
            self.notices.append(Refused(wires, head.error, retry, exact=len(wires) == 1))
            return
        self._sent.pop(head.id, None)
        if head.op == "sub":
            self.notices.append(Acknowledged(tuple(head.ok)))
            return
        gone = [wire for wire in head.ok if wire in self._leaving]  # not those that were subscribed again meanwhile
        for wire in gone:
            self._leaving.discard(wire)
            self._symbols.pop(wire, None)
            self._books.pop(wire, None)
            self.last_data_ns.pop(wire, None)
        if gone:
            self.notices.append(Acknowledged(tuple(gone), subscribed=False))

    def _take_data(self, wire: str, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        channel, _, symbol = wire.partition(":")
        if wire not in self._symbols and not (self.adopt and symbol):
            raise UnrecognizedFrame(wire or "a message without a channel")
        if channel == "trades":
            trade = decode_trade(frame)
            out.append(
                Trade(
                    self.exchange,
                    symbol,
                    trade.t * 1_000_000,
                    receive_ns,
                    trade.px,
                    trade.sz,
                    trade.side,
                    str(trade.id),
                )
            )
        elif channel == "book":
            self._take_book(wire, symbol, decode_book(frame), receive_ns, out)
        else:
            raise UnrecognizedFrame(wire)
        self.last_data_ns[wire] = receive_ns

    def _take_book(
        self, wire: str, symbol: str, message: BookMessage, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        book = self._books.get(wire)
        if book is None:
            book = self._books[wire] = ChainedBook(self.exchange, symbol, wire)
        times = (message.t * 1_000_000, receive_ns)
        last = str(message.seq)
        if message.prev == 0:
            event = BookSnapshot(self.exchange, symbol, *times, message.bids, message.asks, None, last, None)
            book.snapshot(event, message.seq, out, self.notices)
        else:
            first = str(message.prev)
            delta = BookDelta(self.exchange, symbol, *times, message.bids, message.asks, first, last, None)
            book.update(delta, message.prev, message.seq, out, self.notices)
