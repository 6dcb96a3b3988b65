"""A recording prepared for serving."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from foxtrot_workers.simulator.recorded.playback import DataItem, Playback, SnapshotItem, make_playback
from foxtrot_workers.simulator.venues.okx.session import okx_topic

_WS = "wss://example.invalid/stream"
_API = "https://api.example.invalid"


@dataclass(frozen=True)
class Row:
    """One line of a recording."""

    line: int
    direction: str
    payload: bytes
    url: str = _WS
    receive_ns: int = 5


def _binance(*rows: tuple[str, Any] | tuple[str, Any, str], lists: list[Any] | None = None) -> Playback:
    found = [
        Row(n, row[0], row[1] if isinstance(row[1], bytes) else json.dumps(row[1]).encode(), *row[2:])
        for n, row in enumerate(rows)
    ]
    listed = [
        Row(n, "http", json.dumps(body).encode(), f"{_API}/api/v3/exchangeInfo") for n, body in enumerate(lists or ())
    ]
    return make_playback("binance", found, listed)


def test_combined_frames_keep_their_bytes() -> None:
    raw = b'{"stream":"abcusdt@trade", "data":{"e":"trade","p":"1.50"}}'
    playback = _binance(("in", raw))
    (item,) = playback.items
    assert item == DataItem(0, 5, "abcusdt@trade", raw, b'{"e":"trade","p":"1.50"}')
    assert playback.topics == {"abcusdt@trade"}


@pytest.mark.parametrize(
    ("frame", "topic"),
    [
        ({"e": "trade", "s": "ABC"}, "abc@trade"),
        ({"e": "aggTrade", "s": "ABC"}, "abc@aggTrade"),
        ({"e": "depthUpdate", "s": "ABC"}, "abc@depth@100ms"),
        ({"e": "24hrTicker", "s": "ABC"}, "abc@ticker"),
        ({"e": "kline", "s": "ABC", "k": {"i": "5m"}}, "abc@kline_5m"),
        ({"e": "kline", "s": "ABC"}, ""),
        ({"u": 1, "s": "ABC", "b": "1", "a": "2"}, "abc@bookTicker"),
        ({"s": "ABC"}, ""),
        ({"e": "somethingNew", "s": "ABC"}, ""),
        ({"lastUpdateId": 5, "bids": [], "asks": []}, ""),
        ([1, 2], ""),
        (b"garbage", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_the_topic_of_a_raw_frame_is_found_by_its_content(frame: Any, topic: str) -> None:
    (item,) = _binance(("in", frame)).items
    assert isinstance(item, DataItem)
    assert item.topic == topic


def test_recorded_answers_to_requests_are_not_served() -> None:
    playback = _binance(
        ("out", {"method": "SUBSCRIBE", "params": ["a@trade"], "id": 1}),
        ("in", {"result": None, "id": 1}),
        ("in", {"error": {"code": 2}, "id": 1}),
        ("in", {"e": "serverShutdown", "E": 1}),
    )
    assert [item.line for item in playback.items] == [3]


def test_snapshots_keep_their_place() -> None:
    playback = _binance(
        ("in", {"stream": "abc@depth@100ms", "data": {"e": "depthUpdate"}}),
        ("http", {"lastUpdateId": 7}, f"{_API}/api/v1/depth?symbol=ABC&limit=5000"),
        ("http", {"other": 1}, f"{_API}/api/v3/ping"),
        ("in", {"stream": "abc@depth@100ms", "data": {"e": "depthUpdate"}}),
    )
    assert [type(item) for item in playback.items] == [DataItem, SnapshotItem, DataItem]
    snapshot = playback.items[1]
    assert isinstance(snapshot, SnapshotItem)
    assert (snapshot.symbol, json.loads(snapshot.body)) == ("ABC", {"lastUpdateId": 7})
    assert playback.snapshot_topic("ABC", {"abc@depth@100ms"})
    assert playback.snapshot_topic("ABC", {"abc@depth"})
    assert not playback.snapshot_topic("ABC", {"abc@depth5", "abc@trade", "abcd@depth"})


def test_the_instrument_list_can_be_limited_to_symbols() -> None:
    rows = [{"symbol": "ABC", "baseAsset": "A"}, {"symbol": "XYZ", "baseAsset": "X"}]
    playback = _binance(("in", {"stream": "abc@trade", "data": {}}), lists=[{"symbols": rows, "timezone": "UTC"}])
    assert json.loads(playback.instrument_answer({}).body)["symbols"] == rows
    assert json.loads(playback.instrument_answer({"symbol": "XYZ"}).body)["symbols"] == rows[1:]
    narrowed = json.loads(playback.instrument_answer({"symbols": '["ABC"]'}).body)
    assert (narrowed["symbols"], narrowed["timezone"]) == (rows[:1], "UTC")
    assert playback.instrument_answer({"symbol": "NOPE"}).status == 400
    assert playback.instrument_answer({"symbols": "nonsense"}).status == 400
    assert _binance(("in", b"{}")).instrument_answer({}).status == 404


def _okx(*rows: tuple[str, Any], lists: tuple[tuple[str, Any], ...] = ()) -> Playback:
    found = [
        Row(n, way, body if isinstance(body, bytes) else json.dumps(body).encode())
        for n, (way, body) in enumerate(rows)
    ]
    listed = [
        Row(n, "http", json.dumps(body).encode(), f"{_API}/api/v5/public/instruments?{query}")
        for n, (query, body) in enumerate(lists)
    ]
    return make_playback("okx", found, listed)


def test_okx_acknowledgements_are_kept_aside() -> None:
    arg = {"channel": "trades", "instId": "A-B"}
    playback = _okx(
        ("out", {"op": "subscribe", "args": [arg]}),
        ("in", {"event": "subscribe", "arg": arg}),
        ("in", {"event": "error", "code": "60018"}),
        ("in", b"pong"),
        ("in", {"arg": arg, "data": [1]}),
        ("in", {"event": "notice", "code": "64008"}),
        ("in", b"garbage"),
    )
    assert [(item.line, item.topic) for item in playback.items if isinstance(item, DataItem)] == [
        (4, okx_topic(arg)),
        (5, ""),
        (6, ""),
    ]
    assert json.loads(playback.acknowledgements[okx_topic(arg)]) == {"event": "subscribe", "arg": arg}
    assert playback.topics == {okx_topic(arg)}


def test_okx_lists_by_type_the_latest_of_each() -> None:
    playback = _okx(
        ("in", {"arg": {"channel": "trades", "instId": "A-B"}, "data": []}),
        lists=(
            ("instType=SPOT", {"data": ["old"]}),
            ("instType=OPTION&uly=BTC-USD", {"data": ["option"]}),
            ("instType=SPOT", {"data": ["new"]}),
        ),
    )
    assert json.loads(playback.instrument_answer({"instType": "SPOT"}).body) == {"data": ["new"]}
    option = playback.instrument_answer({"instType": "OPTION", "instFamily": "BTC-USD"})
    assert json.loads(option.body) == {"data": ["option"]}
    assert json.loads(playback.instrument_answer({"instType": "SWAP"}).body)["data"] == []
    assert _okx().instrument_answer({"instType": "SPOT"}).status == 404


def test_of_the_recorded_lists_only_rest_answers_count() -> None:
    rows = [Row(0, "in", b'{"arg":{"channel":"trades","instId":"A-B"},"data":[]}'), Row(1, "out", b"{}")]
    playback = make_playback("okx", [], rows)
    assert (playback.items, playback.topics) == ([], frozenset())
