"""A recording prepared for serving: its data frames, snapshots, and answers to requests. Pure.

Only data frames are served. Acknowledgements, errors and pongs were answers to the recorded client; this client gets
its own. Snapshots (``http`` lines) keep their place among the frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.binance.rest import error
from foxtrot_workers.simulator.venues.okx.recorded_history import OkxHistory
from foxtrot_workers.simulator.venues.okx.session import okx_topic
from foxtrot_workers.simulator.venues.options import ExchangeName

__all__ = ["DataItem", "Item", "Playback", "Recorded", "SnapshotItem", "make_playback"]

_TRADES = "channel=trades"
_OKX_ANSWERS = ("subscribe", "unsubscribe", "error", "login", "channel-conn-count")


class Recorded(Protocol):
    """One line of a recording, as `foxtrot_workers.replay.recording` reads it."""

    @property
    def line(self) -> int:
        """Line number, from 0."""

    @property
    def receive_ns(self) -> int:
        """Time of receipt, ns since 1970, 0 where unknown."""

    @property
    def direction(self) -> str:
        """in, out or http."""

    @property
    def url(self) -> str:
        """Address of the connection or of the request."""

    @property
    def payload(self) -> bytes:
        """The frame, or the answer's body."""


class DataItem(Struct, frozen=True):
    """One frame to serve; `topic` is "" if the frame does not name it."""

    line: int
    t: int
    """Time of receipt, ns since 1970, 0 where unknown."""
    topic: str
    raw: bytes
    """As recorded."""
    payload: bytes
    """Without the envelope of combined streams."""


class SnapshotItem(Struct, frozen=True):
    """A REST answer at this place: the depth snapshot of `symbol`."""

    line: int
    t: int
    symbol: str
    body: bytes


Item: TypeAlias = DataItem | SnapshotItem


class Playback(Struct, frozen=True):
    """One recording, ready to serve any number of clients."""

    exchange: ExchangeName
    items: list[Item]
    topics: frozenset[str]
    """All topics that it has data of."""
    acknowledgements: dict[str, str]
    """OKX: recorded acknowledgement by topic."""
    instruments: dict[str, bytes]
    """Instrument lists: by ``instType`` and ``uly`` for OKX, under "" for Binance; the latest of each."""
    past: OkxHistory | None = None
    """OKX: trades that were recorded."""

    def snapshot_topic(self, symbol: str, topics: Iterable[str]) -> bool:
        """Return whether one of `topics` is a book of `symbol` that needs a snapshot."""
        start = f"{symbol.lower()}@depth"
        return any(topic == start or topic.startswith(start + "@") for topic in topics)

    def instrument_answer(self, query: Mapping[str, str]) -> Answer:
        """Return the recorded instrument list that `query` requests; Binance's can be limited to symbols."""
        if self.exchange == "okx":
            key = _okx_key(query)
            body = self.instruments.get(key)
            if body is None:
                body = b'{"code":"0","msg":"","data":[]}' if self.instruments else None
        else:
            body = self.instruments.get("")
        if body is None:
            return error(404, -1100, "the recording has no instrument list")
        asked = _asked_symbols(query)
        if self.exchange == "okx" or not asked:
            return Answer(200, body)
        document = msgspec.json.decode(body)
        document["symbols"] = [row for row in document["symbols"] if row["symbol"] in asked]
        if len(document["symbols"]) < len(asked):
            return error(400, -1121, "Invalid symbol.")
        return Answer(200, msgspec.json.encode(document))


def make_playback(exchange: ExchangeName, frames: Iterable[Recorded], instruments: Iterable[Recorded] = ()) -> Playback:
    """Prepare the recorded `frames`; `instruments` are the frames of the recording's instrument list."""
    items: list[Item] = []
    acknowledgements: dict[str, str] = {}
    lists: dict[str, bytes] = {}
    for frame in frames:
        if frame.direction == "in":
            item = _okx_item(frame, acknowledgements) if exchange == "okx" else _binance_item(frame)
            if item is not None:
                items.append(item)
        elif frame.direction == "http":
            _http(exchange, frame, items, lists)
    for frame in instruments:
        if frame.direction == "http":
            _http(exchange, frame, items, lists)
    topics = frozenset(item.topic for item in items if isinstance(item, DataItem) and item.topic)
    past = None
    if exchange == "okx":
        past = OkxHistory(item.raw for item in items if isinstance(item, DataItem) and _TRADES in item.topic.split("/"))
    return Playback(exchange, items, topics, acknowledgements, lists, past)


def _http(exchange: ExchangeName, frame: Recorded, items: list[Item], lists: dict[str, bytes]) -> None:
    parts = urlsplit(frame.url)
    query = dict(parse_qsl(parts.query))
    if parts.path.endswith("/depth") and "symbol" in query:
        items.append(SnapshotItem(frame.line, frame.receive_ns, query["symbol"], frame.payload))
    elif parts.path.endswith("/exchangeInfo"):
        lists[""] = frame.payload
    elif exchange == "okx" and parts.path.endswith("/instruments"):
        lists[_okx_key(query)] = frame.payload


def _okx_key(query: Mapping[str, str]) -> str:
    underlying = query.get("uly") or query.get("instFamily", "")
    return f"{query.get('instType', '')}/{underlying}"


def _asked_symbols(query: Mapping[str, str]) -> set[str]:
    if "symbol" in query:
        return {query["symbol"]}
    try:
        return set(msgspec.json.decode(query.get("symbols", "[]").encode(), type=list[str]))
    except msgspec.DecodeError:
        return {""}


class _Combined(Struct):
    stream: str
    data: msgspec.Raw


_combined = msgspec.json.Decoder(_Combined)


def _binance_item(frame: Recorded) -> DataItem | None:
    raw = frame.payload
    try:
        combined = _combined.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        pass
    else:
        return DataItem(frame.line, frame.receive_ns, combined.stream, raw, bytes(combined.data))
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return DataItem(frame.line, frame.receive_ns, "", raw, raw)
    if isinstance(document, dict) and "id" in document and ("result" in document or "error" in document):
        return None
    return DataItem(frame.line, frame.receive_ns, _binance_topic(document), raw, raw)


def _binance_topic(document: Any) -> str:
    """Return the stream of a raw frame, "" if it is unknown; diff depth counts as the 100 ms stream."""
    if not isinstance(document, dict) or not isinstance(document.get("s"), str):
        return ""
    symbol, event = document["s"].lower(), document.get("e")
    if event is None:
        return f"{symbol}@bookTicker" if {"u", "b", "a"} <= document.keys() else ""
    if event == "kline" and isinstance(document.get("k"), dict):
        return f"{symbol}@kline_{document['k'].get('i')}"
    names = {
        "trade": "trade",
        "aggTrade": "aggTrade",
        "depthUpdate": "depth@100ms",
        "24hrTicker": "ticker",
        "24hrMiniTicker": "miniTicker",
    }
    return f"{symbol}@{names[event]}" if event in names else ""


def _okx_item(frame: Recorded, acknowledgements: dict[str, str]) -> DataItem | None:
    raw = frame.payload
    if raw == b"pong":
        return None
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        document = None
    topic = ""
    if isinstance(document, dict):
        arg = document.get("arg")
        topic = okx_topic(arg) if isinstance(arg, dict) else ""
        event = document.get("event")
        if event == "subscribe" and topic:
            acknowledgements.setdefault(topic, raw.decode(errors="replace"))
        if event in _OKX_ANSWERS:
            return None
    return DataItem(frame.line, frame.receive_ns, topic, raw, raw)
