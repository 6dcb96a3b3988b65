from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Acknowledged, Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.bybit import adapter as bybit
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.variants import BybitLinear
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bybit.samples import (
    FULL_ANSWER,
    FULL_DELTA,
    KLINE,
    OPTION_TICKER,
    SPOT_SAMPLES,
    TICKER,
    TRADE,
)
from tests.workers.exchanges.driven import Driven

SINGLE_FRAMES = Path(__file__).resolve().parents[5] / "shared/data/bybit/single-frames.jsonl.gz"

UNEVENTFUL = {
    "ws_auth_failure.json": "an answer to a login, which this adapter never sends",
    "ws_auth_success.json": "an answer to a login, which this adapter never sends",
    "ws_orderbook_delta.json": "a change of the best levels alone: the levels before it are unknown",
    "ws_subscription_ack.json": "a notice",
    "ws_subscription_failure.json": "a notice",
}


def test_it_conforms() -> None:
    check_adapter(Bybit, SPOT_SAMPLES)


def test_wire_names_of_topics_have_topic_and_symbol() -> None:
    assert BybitLinear().topics(["trade", "book", "ticker", "funding", "bar_1h"], ["btcusdt", "BTCUSDT"]) == [
        Topic("trade", "BTCUSDT", "publicTrade.BTCUSDT"),
        Topic("book", "BTCUSDT", "orderbook.200.BTCUSDT"),
        Topic("ticker", "BTCUSDT", "tickers.BTCUSDT"),
        Topic("funding", "BTCUSDT", "tickers.BTCUSDT#funding"),
        Topic("bar_1h", "BTCUSDT", "kline.60.BTCUSDT"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["nope"], ["AB"], "no channel"),
        (["funding"], ["AB"], "no channel"),
        (["book", "book50"], ["AB"], "only one of book, book50"),
        (["trade"], [""], "cannot be a symbol"),
        (["trade"], ["A.B"], "cannot be a symbol"),
        (["trade"], ["A\x00"], "cannot be a symbol"),
        (["trade"], ["A" * 65], "cannot be a symbol"),
        (["trade"], [f"{number:060}" for number in range(300)], "21000 characters"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Bybit().topics(channels, symbols)


@pytest.mark.parametrize(
    ("base", "address", "category"),
    [
        (Bybit.url, "wss://stream.bybit.com/v5/public/spot", "spot"),
        ("ws://127.0.0.1:9001", "ws://127.0.0.1:9001/v5/public/spot", "spot"),
        ("wss://stream.bybit.com/v5/public/linear", "wss://stream.bybit.com/v5/public/linear", "linear"),
        ("wss://stream.bybit.com/v5/public/inverse/?a=b", "wss://stream.bybit.com/v5/public/inverse?a=b", "inverse"),
        ("ws://proxy/bybit", "ws://proxy/bybit", "spot"),
    ],
)
def test_the_path_says_which_category_a_connection_serves(base: str, address: str, category: str) -> None:
    adapter = Bybit()
    assert adapter.address(base) == address
    assert adapter.instruments_path([]) == f"/v5/market/instruments-info?category={category}&limit=1000"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"data": []},
        {"topic": "nope.BTCUSDT", "data": []},
        {"topic": "publicTrade", "data": []},
        {"topic": "publicTrade.\u0000", "data": []},
        {"op": "auth", "success": True},
        {"op": "subscribe"},
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Bybit, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="publicTrade"):
        Driven(Bybit, ["quote"], ["BTCUSDT"]).parse(TRADE)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bybit, "ADOPTED_MAX", 2)
    wire = Driven(Bybit, adopt=True)
    for symbol in ("AB", "CD"):
        wire.parse(TRADE.replace("BTCUSDT", symbol))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE.replace("BTCUSDT", "EF"))


@pytest.mark.parametrize("frame", [TRADE, KLINE, OPTION_TICKER])
def test_key_order_and_white_space_do_not_matter(frame: str) -> None:
    wire = Driven(Bybit, adopt=True)
    first = wire.parse(frame)
    message = json.loads(frame)
    for text in (
        json.dumps(message, indent=2),
        json.dumps(dict(reversed(list(message.items())))),
        json.dumps({"x": message["topic"], **message}, separators=(",", ":")),
        json.dumps({"x": "y", **message}, separators=(",", ":")),
    ):
        for _ in range(2):
            assert wire.parse(text) == first


def test_only_a_beginning_that_is_the_topic_alone_is_remembered() -> None:
    wire = Driven(Bybit, ["trade"], ["BTCUSDT"])
    known = len(wire.adapter._by_beginning)
    for number in range(10):
        wire.parse(json.dumps({"id": f"i{number}", **json.loads(TRADE)}, separators=(",", ":")))
    assert len(wire.adapter._by_beginning) == known
    wire.parse(json.dumps(json.loads(TRADE)))
    assert len(wire.adapter._by_beginning) == known + 1


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = Driven(Bybit, ["trade"], ["BTCUSDT"])
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(TRADE)) == 1
    wire.parse({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "2", "op": "unsubscribe"})
    assert wire.take_notices() == [Acknowledged(("publicTrade.BTCUSDT",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE)
    assert wire.adapter.last_data_ns == {}


def test_one_topic_carries_several_channels_and_each_has_its_own_state() -> None:
    wire = Driven(BybitLinear, ["ticker", "funding"], ["BTCUSDT"])
    assert [msgspec.json.decode(text)["args"] for text in wire.requests] == [["tickers.BTCUSDT"]]
    wire.parse({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "1", "op": "subscribe"})
    assert wire.take_notices() == [Acknowledged(("tickers.BTCUSDT", "tickers.BTCUSDT#funding"))]
    assert [type(event).__name__ for event in wire.parse(TICKER)] == ["Ticker", "Funding"]
    assert wire.adapter.unsubscribe([wire.topics[0]]) == []
    assert wire.take_notices() == [Acknowledged(("tickers.BTCUSDT",), subscribed=False)]
    assert [type(event).__name__ for event in wire.parse(TICKER)] == ["Funding"]
    (text,) = wire.adapter.unsubscribe([wire.topics[1]])
    assert msgspec.json.decode(text)["args"] == ["tickers.BTCUSDT"]
    wire.parse({"success": True, "ret_msg": "", "conn_id": "c", "req_id": "2", "op": "unsubscribe"})
    assert wire.take_notices() == [Acknowledged(("tickers.BTCUSDT#funding",), subscribed=False)]


def test_both_shapes_of_a_pong_are_recognized() -> None:
    wire = Driven(Bybit)
    wire.parse({"success": True, "ret_msg": "pong", "conn_id": "0970e817", "op": "ping"})
    wire.parse({"args": ["1672916271846"], "op": "pong"})
    assert wire.take_notices() == [Pong(), Pong()]


def test_books_with_a_snapshot_on_the_stream_are_subscribed_again_the_full_book_is_fetched() -> None:
    wire = Driven(Bybit, ["book_full", "trade"], ["BTCUSDT"])
    wire.parse(FULL_DELTA)
    (request,) = wire.take_notices()
    wire.answer(getattr(request, "path", ""), FULL_ANSWER.encode())
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [request]
    book = Driven(Bybit, ["book", "trade"], ["BTCUSDT"])
    assert book.adapter.resync(book.topics) == [book.topics[0]]


@pytest.mark.skipif(not SINGLE_FRAMES.is_file(), reason="recorded frames are not at hand")
def test_single_frames_become_the_events_of_their_documentation() -> None:
    with gzip.open(SINGLE_FRAMES, "rt", encoding="utf-8") as lines:
        frames = [json.loads(line) for line in lines]
    kinds = {}
    for frame in frames:
        wire, name = Driven(Bybit, adopt=True), frame["src"].rpartition("/")[2]
        events: list[MarketEvent[str]] = []
        if "auth" in name:
            with pytest.raises(UnrecognizedFrame):
                wire.parse(frame["raw"])
        else:
            events = wire.parse(frame["raw"])
        kinds[name] = [type(event).__name__ for event in events]
    assert {name for name, events in kinds.items() if not events} == UNEVENTFUL.keys()
    del kinds["ws_orderbook_delta.json"]
    assert {name: events for name, events in kinds.items() if events} == {
        "ws_kline.json": ["Bar"],
        "ws_orderbook_snapshot.json": ["Quote"],
        "ws_public_trade.json": ["Trade"],
        "ws_ticker_linear.json": ["Ticker", "Funding", "MarkPrice", "OpenInterest"],
        "ws_ticker_option.json": ["Ticker", "MarkPrice", "OpenInterest"],
    }


def test_a_beginning_that_names_another_topic_is_not_remembered() -> None:
    wire = Driven(Bybit, adopt=True)
    twice = TRADE.replace('{"topic"', '{"topic":"publicTrade.ETHUSDT","topic"', 1)
    assert wire.parse(twice)
    assert set(wire.adapter.last_data_ns) == {"publicTrade.BTCUSDT"}, "of equal keys the last one counts"
    assert wire.parse(TRADE.replace("BTCUSDT", "ETHUSDT"))
    assert set(wire.adapter.last_data_ns) == {"publicTrade.BTCUSDT", "publicTrade.ETHUSDT"}
