from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, MarketEvent
from foxtrot_workers.adapter import (
    Acknowledged,
    CloseAnnounced,
    Pong,
    SendText,
    Topic,
    UnrecognizedFrame,
)
from foxtrot_workers.exchanges.okx import adapter as okx
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.okx.subscribed import INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_frame,
    okx_trade,
)


def test_wire_names_of_topics_have_channel_and_instrument() -> None:
    assert Okx().topics(["trade", "book"], ["BTC-USDT", "BTC-USDT-SWAP", "BTC-USDT"]) == [
        Topic("trade", "BTC-USDT", "trades:BTC-USDT"),
        Topic("book", "BTC-USDT", "books:BTC-USDT"),
        Topic("trade", "BTC-USDT-SWAP", "trades:BTC-USDT-SWAP"),
        Topic("book", "BTC-USDT-SWAP", "books:BTC-USDT-SWAP"),
    ]


def test_symbols_are_upper_case_however_they_are_configured() -> None:
    topics = Okx().topics(["trade"], ["btc-usdt", "BTC-USDT"])
    assert [(topic.symbol, topic.wire) for topic in topics] == [("BTC-USDT", "trades:BTC-USDT")]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [
        (["nope"], ["A-B"]),
        (["book", "book5"], ["A-B"]),
        (["bar_1m", "trade"], ["A-B"]),
        (["trade"], [""]),
        (["trade"], ["A:B"]),
        (["trade"], ["A\x00"]),
        (["trade"], ["A" * 65]),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|another address|cannot be an instrument"):
        Okx().topics(channels, symbols)


@pytest.mark.parametrize(
    ("channel", "base", "address"),
    [
        ("trade", Okx.url, "wss://ws.okx.com:8443/ws/v5/public"),
        ("bar_1m", Okx.url, "wss://ws.okx.com:8443/ws/v5/business"),
        ("bar_1m", "ws://127.0.0.1:9001", "ws://127.0.0.1:9001/ws/v5/business"),
        (
            "trade",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
        ),
        ("bar_1m", "ws://proxy/okx", "ws://proxy/okx"),
    ],
)
def test_the_address_of_bars_has_another_path(channel: str, base: str, address: str) -> None:
    adapter = Okx()
    adapter.topics([channel], [INSTRUMENT])
    assert adapter.address(base) == address


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"data": []},
        {"arg": {"channel": "trades", "instId": INSTRUMENT}},
        {"arg": {"channel": "status"}, "data": []},
        {"arg": {}, "data": []},
        {"arg": {"channel": "trades", "instId": "\u0000"}, "data": []},
        {"event": "login", "code": "0"},
        {"event": "notice", "code": "1"},
        {"event": "subscribe"},
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Subscribed(adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="trades"):
        Subscribed("quote").parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(okx, "ADOPTED_MAX", 2)
    wire = Subscribed(adopt=True)
    for instrument in ("A-B", "C-D"):
        wire.parse(okx_frame("trades", instrument, [okx_trade()]))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(okx_frame("trades", "E-F", [okx_trade()]))


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = Subscribed("trade")
    trade = okx_frame("trades", INSTRUMENT, [okx_trade()])
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade)) == 1
    wire.parse({"event": "unsubscribe", "arg": {"channel": "trades", "instId": INSTRUMENT}})
    assert wire.take_notices() == [Acknowledged(("trades:BTC-USDT",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade)
    assert wire.adapter.last_data_ns == {}


def test_pings_and_pongs_are_bare_text() -> None:
    wire = Subscribed("trade")
    wire.parse(b"pong")
    wire.parse(b"ping")
    assert wire.take_notices() == [Pong(), SendText("pong")]


def test_a_service_upgrade_announces_the_close() -> None:
    wire = Subscribed("trade")
    wire.parse({"event": "notice", "code": "64008", "msg": "The connection will soon be closed", "connId": "a"})
    assert wire.take_notices() == [CloseAnnounced("64008: The connection will soon be closed")]


def test_connection_counts_are_ignored() -> None:
    wire = Subscribed("trade")
    wire.parse({"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "abcd1234"})
    assert wire.take_notices() == []


SINGLE_FRAMES = Path(__file__).resolve().parents[5] / "shared/data/okx/single-frames.jsonl.gz"

UNUSABLE = {
    "ws_instruments.json": "instruments are listed by REST",
    "ws_opt_summary.json": "figures of options, without the frame around them",
}


@pytest.mark.skipif(not SINGLE_FRAMES.is_file(), reason="recorded frames are not at hand")
def test_single_frames_become_the_events_of_their_documentation() -> None:
    with gzip.open(SINGLE_FRAMES, "rt", encoding="utf-8") as lines:
        frames = [json.loads(line) for line in lines]
    kinds: dict[str, list[str]] = {}
    for frame in frames:
        name, wire = frame["src"].rpartition("/")[2], Subscribed(adopt=True)
        events: list[MarketEvent[str]] = []
        if name in UNUSABLE:
            with pytest.raises((UnrecognizedFrame, msgspec.ValidationError)):
                wire.parse(frame["raw"].encode())
        else:
            events = wire.parse(frame["raw"].encode())
        kinds[name] = [type(event).__name__ for event in events]
    assert {name: events for name, events in kinds.items() if name not in UNUSABLE} == {
        "ws_bbo_tbt.json": ["Quote"],
        "ws_books_snapshot.json": ["Gap"],  # its checksum is made up: it is that of no such book
        "ws_books_update.json": [],  # it waits for a snapshot
        "ws_candle.json": ["Bar"],
        "ws_funding_rate.json": ["Funding"],
        "ws_tickers.json": ["Ticker"],
        "ws_trades.json": ["Trade"],
    }


def test_partial_books_are_states() -> None:
    assert Okx().identity_rules(["book5"])[EVENT_BOOK] == "latest"
    assert Okx().identity_rules(["book"])[EVENT_BOOK] == "chained"
