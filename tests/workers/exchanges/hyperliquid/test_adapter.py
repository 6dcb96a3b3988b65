from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.hyperliquid import adapter as hyperliquid
from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.hyperliquid.samples import (
    ALL_MIDS,
    BBO,
    BOOK,
    CANDLE,
    CONTEXT,
    FAST_BOOK,
    SAMPLES,
    TRADES,
)

SINGLE_FRAMES = Path(__file__).resolve().parents[5] / "shared/data/hyperliquid/single-frames.jsonl.gz"


def test_it_conforms() -> None:
    check_adapter(Hyperliquid, SAMPLES)


def test_wire_names_have_kind_and_coin() -> None:
    assert Hyperliquid().topics(["trade", "bar_1m", "funding"], ["kPEPE", "xyz:TSLA"]) == [
        Topic("trade", "kPEPE", "trades:kPEPE"),
        Topic("bar_1m", "kPEPE", "candle.1m:kPEPE"),
        Topic("funding", "kPEPE", "activeAssetCtx:kPEPE#funding"),
        Topic("trade", "xyz:TSLA", "trades:xyz:TSLA"),
        Topic("bar_1m", "xyz:TSLA", "candle.1m:xyz:TSLA"),
        Topic("funding", "xyz:TSLA", "activeAssetCtx:xyz:TSLA#funding"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["nope"], ["BTC"], "no channel"),
        (["book", "book_fast"], ["BTC"], "only one of"),
        (["trade"], [""], "cannot be a coin"),
        (["trade"], ["A B"], "cannot be a coin"),
        (["trade"], ["A\x00"], "cannot be a coin"),
        (["trade"], ["A%23"], "cannot be a coin"),
        (["trade"], ["A" * 65], "cannot be a coin"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Hyperliquid().topics(channels, symbols)


@pytest.mark.parametrize("coin", ["PURR/USDC", "@107", "#12", "xyz:TSLA", "kPEPE"])
def test_coins_of_every_kind_reach_their_topics(coin: str) -> None:
    wire = Driven(Hyperliquid, ["trade", "ticker", "mark_price"], [coin])
    requests = [msgspec.json.decode(text) for text in wire.requests]
    assert requests == [
        {"method": "subscribe", "subscription": {"type": "trades", "coin": coin}},
        {"method": "subscribe", "subscription": {"type": "activeAssetCtx", "coin": coin}},
    ]
    for frame in (TRADES, CONTEXT):
        for _ in range(2):
            assert {event.symbol for event in wire.parse(frame.replace("BTC", coin))} == {coin}
    for request in requests:
        wire.parse({"channel": "subscriptionResponse", "data": request})
    assert wire.take_notices() == [
        Acknowledged((wire.topics[0].wire,)),
        Acknowledged((wire.topics[1].wire, wire.topics[2].wire)),
    ]


def test_the_address_has_the_path_of_the_exchange() -> None:
    assert Hyperliquid().address(Hyperliquid.url) == "wss://api.hyperliquid.xyz/ws"
    assert Hyperliquid().address("ws://127.0.0.1:9001/") == "ws://127.0.0.1:9001/ws"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"channel": "trades"},
        {"channel": "nope", "data": {"coin": "BTC"}},
        {"channel": "trades", "data": {}},
        {"channel": "trades", "data": "BTC"},
        {"channel": "bbo", "data": None},
        {"channel": "candle", "data": {"s": "BTC", "i": "7m"}},
        {"channel": "trades", "data": [{"coin": "\u0000"}]},
        json.loads(ALL_MIDS),
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Hyperliquid, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="trades"):
        Driven(Hyperliquid, ["quote"], ["BTC"]).parse(TRADES)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperliquid, "ADOPTED_MAX", 2)
    wire = Driven(Hyperliquid, adopt=True)
    for coin in ("AB", "CD"):
        wire.parse(TRADES.replace("BTC", coin))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADES.replace("BTC", "EF"))


@pytest.mark.parametrize("frame", [TRADES, BOOK, BBO, CONTEXT, CANDLE])
def test_key_order_and_white_space_do_not_matter(frame: str) -> None:
    first = Driven(Hyperliquid, adopt=True).parse(frame)
    message = json.loads(frame)
    for text in (
        json.dumps(message),
        json.dumps(message, indent=2),
        json.dumps(dict(reversed(list(message.items()))), separators=(",", ":")),
    ):
        for _ in range(2):
            assert Driven(Hyperliquid, adopt=True).parse(text) == first


def test_a_beginning_that_does_not_name_the_channel_is_not_remembered() -> None:
    wire = Driven(Hyperliquid, ["trade", "quote"], ["BTC"])
    for frame in (TRADES, BBO):
        backwards = json.dumps(dict(reversed(list(json.loads(frame).items()))), separators=(",", ":"))
        assert len(wire.parse(backwards)) == 1
    assert wire.adapter._by_beginning == {}
    wire.parse(TRADES)
    assert list(wire.adapter._by_beginning) == [b'{"channel":"trades","data":[{"coin":"BTC']


def test_a_list_without_rows_is_nothing() -> None:
    assert Driven(Hyperliquid, ["trade"], ["BTC"]).parse('{"channel":"trades","data":[]}') == []


def test_pongs_and_the_greeting_are_recognized() -> None:
    wire = Driven(Hyperliquid)
    assert wire.parse("Websocket connection established.") == []
    assert wire.parse('{"channel":"pong"}') == []
    assert wire.take_notices() == [Pong()]


def test_the_channels_of_a_context_end_one_by_one() -> None:
    wire = Driven(Hyperliquid, ["ticker", "funding"], ["BTC"])
    assert [type(event).__name__ for event in wire.parse(CONTEXT)] == ["Ticker", "Funding"]
    assert wire.adapter.unsubscribe([wire.topics[0]]) == []
    assert wire.take_notices() == [Acknowledged(("activeAssetCtx:BTC",), subscribed=False)]
    assert [type(event).__name__ for event in wire.parse(CONTEXT)] == ["Funding"]
    (text,) = wire.adapter.unsubscribe([wire.topics[1]])
    wire.parse({"channel": "subscriptionResponse", "data": msgspec.json.decode(text)})
    assert wire.take_notices() == [Acknowledged(("activeAssetCtx:BTC#funding",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(CONTEXT)
    assert wire.adapter.last_data_ns == {}


def test_full_books_need_no_resync() -> None:
    wire = Driven(Hyperliquid, ["book"], ["BTC"])
    assert wire.adapter.resync(wire.topics) == []


def test_the_faster_book_is_a_topic_of_its_own() -> None:
    wire = Driven(Hyperliquid, ["book_fast"], ["BTC"])
    request = {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "fast": True}}
    assert [msgspec.json.decode(text) for text in wire.requests] == [request]
    wire.parse({"channel": "subscriptionResponse", "data": request})
    assert wire.take_notices() == [Acknowledged(("l2Book+fast:BTC",))]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(BOOK)
    assert len(wire.parse(FAST_BOOK)) == 1


@pytest.mark.skipif(not SINGLE_FRAMES.is_file(), reason="recorded frames are not at hand")
def test_single_frames_become_the_events_of_their_documentation() -> None:
    with gzip.open(SINGLE_FRAMES, "rt", encoding="utf-8") as lines:
        frames = {line["src"].rpartition("/")[2]: line["raw"] for line in map(json.loads, lines)}
    with pytest.raises(UnrecognizedFrame):  # middle prices of all coins: no event has only these
        Driven(Hyperliquid, adopt=True).parse(frames.pop("ws_allmids.json"))
    assert frames
    for frame in frames.values():
        (event,) = Driven(Hyperliquid, adopt=True).parse(frame)
        assert type(event).__name__ == "BookSnapshot"
