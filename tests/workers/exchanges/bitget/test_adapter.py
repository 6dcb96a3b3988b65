from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK
from foxtrot_workers.adapter import Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bitget.samples import BACKFILLS, BOOK, SPOT_SAMPLES, TRADE, UNSUBSCRIBED
from tests.workers.exchanges.driven import Driven


def test_it_conforms() -> None:
    check_adapter(Bitget, SPOT_SAMPLES, backfills=BACKFILLS)


def test_wire_names() -> None:
    assert Bitget().topics(["trade", "bar_1H"], ["btcusdt"]) == [
        Topic("trade", "BTCUSDT", "SPOT:trade:BTCUSDT"),
        Topic("bar_1H", "BTCUSDT", "SPOT:candle1H:BTCUSDT"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["liquidation"], ["BTCUSDT"], "no channel"),
        (["book5", "book"], ["BTCUSDT"], "only one"),
        (["trade"], ["BTC:USDT"], "cannot be a symbol"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Bitget().topics(channels, symbols)


@pytest.mark.parametrize(
    ("channels", "base", "address"),
    [
        (["trade"], Bitget.url, "wss://ws.bitget.com/v2/ws/public"),
        (["trade", "book"], Bitget.url, "wss://ws.bitget.com/v3/ws/public"),
        (["book"], "wss://wspap.bitget.com/v2/ws/public", "wss://wspap.bitget.com/v2/ws/public"),
        (["trade"], "wss://wspap.bitget.com/v3/ws/public", "wss://wspap.bitget.com/v3/ws/public"),
        (["book"], "ws://127.0.0.1:9", "ws://127.0.0.1:9/v3/ws/public"),
    ],
)
def test_books_need_the_unified_feed(channels: list[str], base: str, address: str) -> None:
    adapter = Bitget()
    topics = adapter.topics(channels, ["BTCUSDT"])
    assert adapter.address(base) == address
    assert ('"topic"' in adapter.subscribe(topics)[0]) == ("/v3/" in address)


def test_partial_books_are_states() -> None:
    assert Bitget().identity_rules(["book5"])[EVENT_BOOK] == "latest"
    assert Bitget().identity_rules(["book"])[EVENT_BOOK] == "chained"


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        '{"event":"login"}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"account","instId":"X"},"data":[]}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":""},"data":[]}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":"A:B"},"data":[]}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"liquidation","instId":"X"},"data":[]}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":"X"}}',
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Bitget, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="OPUSDT"):
        Driven(Bitget, ["trade"], ["BTCUSDT"]).parse(TRADE)


def test_an_unsubscribed_topic_is_forgotten() -> None:
    wire = Driven(Bitget, ["book"], ["BTCUSDT"])
    wire.parse(BOOK)
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(UNSUBSCRIBED)
    assert wire.adapter.last_data_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(BOOK)


def test_instruments_are_named_by_the_kind_that_was_seen() -> None:
    wire = Driven(Bitget, adopt=True)
    assert wire.adapter.instrument("OPUSDT") == "OP-USDT"
    wire.parse(TRADE.replace("SPOT", "USDT-FUTURES"))
    assert wire.adapter.instrument("OPUSDT") == "OP-USDT-PERP"
    assert wire.adapter.instruments_path([]) == "/api/v2/spot/public/symbols"


def test_a_symbol_that_is_impossible_is_not_adopted() -> None:
    wire = Driven(Bitget, adopt=True)
    with pytest.raises(UnrecognizedFrame):
        wire.parse(BOOK.replace("BTCUSDT", "BTC/USDT"))
    assert wire.adapter.last_data_ns == {}
    assert wire.parse(BOOK) != []


def test_a_beginning_that_does_not_name_the_topic_is_not_remembered() -> None:
    wire = Driven(Bitget, adopt=True)
    other = TRADE.replace("OPUSDT", "BTCUSDT")
    events = [event for frame in (TRADE, other) for event in wire.parse('{"first": {"a": 1}, ' + frame[1:])]
    assert [event.symbol for event in events] == ["OPUSDT", "BTCUSDT"]
