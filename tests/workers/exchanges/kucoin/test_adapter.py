from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, BookSnapshot
from foxtrot_workers.adapter import AccessRequest, Acknowledged, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.kucoin.samples import ACCESS, ACK, LEVEL2, MATCH, SPOT_SAMPLES, UNIFIED_SNAPSHOT


def test_it_conforms() -> None:
    check_adapter(Kucoin, SPOT_SAMPLES)


def test_wire_names_are_topics() -> None:
    assert Kucoin().topics(["trade", "bar_1h", "book50"], ["btc-usdt"])[:2] == [
        Topic("trade", "BTC-USDT", "/market/match:BTC-USDT"),
        Topic("bar_1h", "BTC-USDT", "/market/candles:BTC-USDT_1hour"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["nope"], ["BTC-USDT"], "no channel"),
        (["book5", "book"], ["BTC-USDT"], "only one"),
        (["book500", "trade"], ["BTC-USDT"], "connection of its own"),
        (["trade"], ["BTC,ETH"], "cannot be a symbol"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Kucoin().topics(channels, symbols)


def test_the_address_is_requested_except_that_of_the_unified_feed() -> None:
    adapter = Kucoin()
    adapter.topics(["trade"], ["BTC-USDT"])
    assert adapter.access_request() == AccessRequest("POST", "/api/v1/bullet-public", 10)
    assert adapter.on_access(Kucoin.url, ACCESS.replace("18000", "9000").encode()).startswith(
        "wss://ws-api-spot.kucoin.com/?token=t&connectId="
    )
    assert adapter.connection_limits().ping_interval_s == 9.0
    assert adapter.on_access("ws://127.0.0.1:9/", ACCESS.encode()).startswith("ws://127.0.0.1:9/?token=t")
    adapter.topics(["book500"], ["BTC-USDT"])
    assert adapter.access_request() is None
    assert adapter.address(Kucoin.url) == "wss://x-push-spot.kucoin.com"
    assert adapter.address("ws://127.0.0.1:9") == "ws://127.0.0.1:9"
    assert adapter.connection_limits().ping_text == '{"id":"ping","op":"ping"}'


def test_partial_books_are_states() -> None:
    assert Kucoin().identity_rules(["book50"])[EVENT_BOOK] == "latest"
    assert Kucoin().identity_rules(["book500"])[EVENT_BOOK] == "update_ids"


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        '{"type":"message"}',
        '{"type":"message","topic":"/market/unknown:A-B","data":{}}',
        '{"type":"message","topic":"/market/candles:A-B_7min","data":{}}',
        '{"type":"message","topic":"/market/match:","data":{}}',
        '{"T":"trade.SPOT","d":{}}',
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Kucoin, adopt=True).parse(frame)


@pytest.mark.parametrize("frame", [MATCH, UNIFIED_SNAPSHOT])
def test_a_topic_that_was_not_subscribed_is_unrecognized(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame, match=r"DAPPT|BTC-USDT"):
        Driven(Kucoin, ["trade"], ["BTC-USDT"]).parse(frame)


def test_an_unsubscribed_book_is_forgotten() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.parse(LEVEL2)
    wire.adapter.unsubscribe(wire.topics)
    wire.take_notices()
    wire.parse(ACK.replace("1", "2"))
    assert wire.take_notices() == [Acknowledged(("/market/level2:BTC-USDT",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(LEVEL2)
    assert wire.answer("/api/v1/market/orderbook/level2_100?symbol=BTC-USDT", b"{}") == []
    assert wire.take_notices() == []


def test_an_unsubscribed_topic_of_another_kind_leaves_the_book() -> None:
    wire = Driven(Kucoin, ["book", "trade"], ["BTC-USDT"])
    wire.parse(LEVEL2)
    held = dict(wire.adapter.held_ns)
    wire.adapter.unsubscribe(wire.topics[1:])
    wire.take_notices()
    wire.parse(ACK.replace("1", "3"))
    assert wire.take_notices() == [Acknowledged(("/market/match:BTC-USDT",), subscribed=False)]
    wire.parse(LEVEL2)
    assert wire.adapter.held_ns.keys() == held.keys()


def test_a_recorded_snapshot_opens_its_book_in_replay() -> None:
    path = "/api/v1/market/orderbook/level2_100?symbol=BTC-USDT"
    body = {"code": "200000", "data": {"time": 1, "sequence": "9", "bids": [["1", "2"]], "asks": [["3", "4"]]}}
    (snapshot,) = Driven(Kucoin, adopt=True).answer(path, body)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.symbol, snapshot.bids, snapshot.asks) == ("BTC-USDT", [("1", "2")], [("3", "4")])
    assert Driven(Kucoin).answer(path, body) == []
