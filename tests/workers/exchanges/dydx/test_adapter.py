from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Gap, MarketEvent
from foxtrot_workers.adapter import Acknowledged, BookLost, Resubscribe, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.dydx import adapter as dydx
from foxtrot_workers.exchanges.dydx.adapter import Dydx
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.dydx.samples import (
    BOOK,
    BOOK_UPDATE,
    CONNECTED,
    MARKETS,
    ORACLE_PRICES,
    SAMPLES,
    TRADES,
    UNSUBSCRIBED,
    numbered,
)

SINGLE_FRAMES = Path(__file__).resolve().parents[5] / "shared/data/dydx/single-frames.jsonl.gz"


def test_it_conforms() -> None:
    check_adapter(Dydx, SAMPLES)


def test_wire_names_have_channel_and_id() -> None:
    channels = ["book", "trade", "liquidation", "funding", "bar_1m"]
    assert Dydx().topics(channels, ["BTC-USD"]) == [
        Topic("book", "BTC-USD", "v4_orderbook:BTC-USD"),
        Topic("trade", "BTC-USD", "v4_trades:BTC-USD"),
        Topic("liquidation", "BTC-USD", "v4_trades:BTC-USD#liquidation"),
        Topic("funding", "BTC-USD", "v4_markets#funding/BTC-USD"),
        Topic("bar_1m", "BTC-USD", "v4_candles:BTC-USD/1MIN"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["quote"], ["BTC-USD"], "no channel"),
        (["trade"], [""], "cannot be a market"),
        (["trade"], ["A/B"], "cannot be a market"),
        (["trade"], ["A\x00"], "cannot be a market"),
        (["trade"], ["A" * 129], "cannot be a market"),
        (["trade"], [f"A{number}" for number in range(33)], "at most 32 topics"),
        (["bar_1m", "bar_1h"], [f"A{number}" for number in range(17)], "at most 32 topics"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Dydx().topics(channels, symbols)


def test_what_one_topic_carries_counts_once() -> None:
    symbols = [f"A{number}" for number in range(32)]
    assert len(Dydx().topics(["trade", "liquidation", "funding", "mark_price"], symbols)) == 128


def test_the_address_has_the_path_of_the_exchange() -> None:
    assert Dydx().address(Dydx.url) == "wss://indexer.dydx.trade/v4/ws"
    assert Dydx().address("ws://127.0.0.1:9001") == "ws://127.0.0.1:9001/v4/ws"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"type": "nope"},
        {"type": "channel_data"},
        {"type": "channel_data", "channel": "v4_trades", "id": "BTC-USD"},
        {"type": "channel_data", "channel": "v4_block_height", "id": "v4_block_height", "contents": {}},
        {"type": "channel_data", "channel": "v5_trades", "id": "BTC-USD", "contents": {}},
        {"type": "channel_data", "channel": "v4_trades", "id": "BTC-USD/1MIN", "contents": {}},
        {"type": "channel_data", "channel": "v4_candles", "id": "BTC-USD/7MIN", "contents": {}},
        {"type": "channel_data", "channel": "v4_candles", "id": "BTC-USD", "contents": {}},
        {"type": "channel_data", "channel": "v4_trades", "id": "\u0000", "contents": {}},
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Dydx, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="v4_trades"):
        Driven(Dydx, ["book"], ["BTC-USD"]).parse(TRADES)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dydx, "ADOPTED_MAX", 2)
    wire = Driven(Dydx, adopt=True)
    for market in ("AB", "CD"):
        wire.parse(TRADES.replace("BTC-USD", market))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADES.replace("BTC-USD", "EF"))


def test_the_first_message_of_a_topic_acknowledges_it() -> None:
    wire = Driven(Dydx, ["book", "funding", "mark_price"], ["BTC-USD"])
    wire.parse(CONNECTED)
    wire.parse(BOOK)
    wire.parse(numbered(MARKETS, 2))
    assert wire.take_notices() == [
        Acknowledged(("v4_orderbook:BTC-USD",)),
        Acknowledged(("v4_markets#funding/BTC-USD", "v4_markets#mark_price/BTC-USD")),
    ]


def test_a_topic_ends_when_that_is_acknowledged() -> None:
    wire = Driven(Dydx, ["book"], ["BTC-USD"])
    wire.parse(BOOK)
    wire.adapter.unsubscribe(wire.topics)
    wire.take_notices()
    wire.parse(numbered(UNSUBSCRIBED, 2))
    assert wire.take_notices() == [Acknowledged(("v4_orderbook:BTC-USD",), subscribed=False)]
    assert wire.adapter.last_data_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(numbered(BOOK_UPDATE, 3))
    wire.parse(numbered(UNSUBSCRIBED, 4))
    assert wire.take_notices() == []


def test_a_topic_that_was_subscribed_again_does_not_end() -> None:
    wire = Driven(Dydx, ["book"], ["BTC-USD"])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(UNSUBSCRIBED)
    assert wire.take_notices() == []


def test_a_channel_of_a_topic_ends_alone() -> None:
    wire = Driven(Dydx, ["trade", "liquidation"], ["BTC-USD"])
    frame = TRADES.replace("LIMIT", "LIQUIDATED")
    assert [type(event).__name__ for event in wire.parse(frame)] == ["Trade", "Liquidation"]
    assert wire.adapter.unsubscribe(wire.topics[:1]) == []
    assert wire.take_notices() == [Acknowledged(("v4_trades:BTC-USD",), subscribed=False)]
    assert [type(event).__name__ for event in wire.parse(numbered(frame, 5))] == ["Liquidation"]


class TestNumbers:
    """Messages are numbered for the whole connection."""

    def wire(self) -> Driven[Dydx]:
        wire = Driven(Dydx, ["book", "trade"], ["BTC-USD"])
        wire.parse(CONNECTED)
        wire.parse(BOOK)
        wire.parse(numbered(TRADES, 2))
        wire.take_notices()
        return wire

    def kinds(self, events: list[MarketEvent[str]]) -> list[str]:
        return [
            f"{type(event).__name__} {event.stream}" if isinstance(event, Gap) else type(event).__name__
            for event in events
        ]

    def test_a_jump_loses_every_book_and_is_a_gap_in_every_stream_of_trades(self) -> None:
        wire = self.wire()
        events = wire.parse(numbered(TRADES, 4), RECEIVE_NS + 5)
        assert self.kinds(events) == [f"Gap {EVENT_BOOK}", f"Gap {EVENT_MARKET_TRADE}", "Trade"]
        gap = events[1]
        assert isinstance(gap, Gap)
        assert (gap.start_ns, gap.end_ns, gap.cause) == (
            RECEIVE_NS,
            RECEIVE_NS + 5,
            "message 4 came instead of 3",
        )
        assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
        assert wire.parse(numbered(BOOK_UPDATE, 5)) == []
        assert self.kinds(wire.parse(numbered(BOOK, 6))) == ["BookSnapshot"]

    def test_a_repeated_number_is_a_jump_too(self) -> None:
        assert len(self.wire().parse(numbered(TRADES, 2))) == 3

    def test_messages_without_topic_count(self) -> None:
        wire = self.wire()
        wire.parse(numbered(UNSUBSCRIBED, 3))
        with pytest.raises(UnrecognizedFrame):
            wire.parse({"type": "news", "connection_id": "c", "message_id": 4})
        with pytest.raises(UnrecognizedFrame):
            wire.parse(numbered(ORACLE_PRICES, 5))
        assert self.kinds(wire.parse(numbered(BOOK_UPDATE, 6))) == ["BookDelta"]

    def test_gaps_noticed_at_a_refused_message_are_published_with_the_next(self) -> None:
        wire = self.wire()
        with pytest.raises(UnrecognizedFrame):
            wire.parse(numbered(ORACLE_PRICES, 9))
        assert self.kinds(wire.parse(numbered(TRADES, 10))) == [
            f"Gap {EVENT_BOOK}",
            f"Gap {EVENT_MARKET_TRADE}",
            "Trade",
        ]

    def test_a_message_that_cannot_be_read_is_lost(self) -> None:
        wire = self.wire()
        with pytest.raises(msgspec.ValidationError):
            wire.parse(numbered(BOOK_UPDATE, 3).replace('"43240.0"', "43240.0"))
        assert self.kinds(wire.parse(numbered(TRADES, 4))) == [f"Gap {EVENT_BOOK}", "Trade"]
        assert wire.parse(numbered(BOOK_UPDATE, 5)) == []

    def test_recordings_may_have_several_connections(self) -> None:
        wire = Driven(Dydx, adopt=True)
        wire.parse(BOOK)
        other = BOOK_UPDATE.replace('"c"', '"d"')
        assert self.kinds(wire.parse(numbered(other, 900))) == ["BookDelta"]
        assert self.kinds(wire.parse(numbered(other, 5))) == ["BookDelta"]
        assert self.kinds(wire.parse(numbered(other, 7))) == [f"Gap {EVENT_BOOK}"]


@pytest.mark.skipif(not SINGLE_FRAMES.is_file(), reason="recorded frames are not at hand")
def test_single_frames_become_the_events_of_their_documentation() -> None:
    with gzip.open(SINGLE_FRAMES, "rt", encoding="utf-8") as lines:
        frames = [json.loads(line) for line in lines]
    wire = Driven(Dydx, adopt=True)
    kinds: dict[str, list[str]] = {}
    for frame in frames:
        name = frame["src"].rpartition("/")[2]
        if "block_height" in name:  # the height of the chain is no market data
            with pytest.raises(UnrecognizedFrame):
                wire.parse(frame["raw"])
            continue
        events = [event for event in wire.parse(frame["raw"]) if not isinstance(event, Gap)]
        kinds[name] = [type(event).__name__ for event in events]
    trio = ["Funding", "MarkPrice", "OpenInterest"]
    assert kinds == {
        "ws_candles_subscribed.json": ["Bar"],
        "ws_candles_update.json": ["Bar", "Bar"],
        "ws_error.json": [],
        "ws_markets_status_update.json": ["Funding", "Funding"],
        "ws_markets_subscribed.json": trio + trio,
        "ws_markets_update.json": ["MarkPrice", "MarkPrice"],
        "ws_orderbook_subscribed.json": ["BookSnapshot"],
        "ws_orderbook_update.json": ["BookDelta"],
        "ws_trades_subscribed.json": ["Trade"],
        "ws_trades_update.json": ["Trade", "Trade"],
    }
