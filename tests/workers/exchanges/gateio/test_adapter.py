from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, BookSnapshot
from foxtrot_workers.adapter import Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.gateio.samples import ACK, SPOT_BACKFILLS, SPOT_SAMPLES, TRADE, UPDATE


def test_it_conforms() -> None:
    check_adapter(Gateio, SPOT_SAMPLES, backfills=SPOT_BACKFILLS)


def test_wire_names() -> None:
    assert Gateio().topics(["trade", "book", "bar_1h"], ["btc_usdt"]) == [
        Topic("trade", "BTC_USDT", "spot.trades:BTC_USDT"),
        Topic("book", "BTC_USDT", "spot.obu:ob.BTC_USDT.400"),
        Topic("bar_1h", "BTC_USDT", "spot.candlesticks:1h_BTC_USDT"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["funding"], ["BTC_USDT"], "no channel"),
        (["book5", "book"], ["BTC_USDT"], "only one"),
        (["trade"], ["BTC.USDT"], "cannot be a symbol"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Gateio().topics(channels, symbols)


def test_partial_books_are_states() -> None:
    assert Gateio().identity_rules(["book20"])[EVENT_BOOK] == "latest"
    assert Gateio().identity_rules(["book"])[EVENT_BOOK] == "update_ids"


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        '{"channel":"spot.balances","event":"update","result":{}}',
        '{"channel":"futures.trades","event":"update","result":[]}',
        '{"channel":"spot.trades","event":"all","result":[]}',
        '{"channel":"spot.obu","event":"update","result":{"s":"XRP_USDT","u":1,"full":true}}',
        TRADE.replace("NEO_BTC", ""),
        '{"channel":"spot.candlesticks","event":"update","result":{"n":"7m_A_B","t":1,"o":"1","h":"1","l":"1","c":"1","v":"1"}}',
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(frame: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Gateio, adopt=True).parse(frame)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="NEO_BTC"):
        Driven(Gateio, ["trade"], ["BTC_USDT"]).parse(TRADE)


def test_a_book_continues_when_the_trades_of_its_symbol_are_unsubscribed() -> None:
    wire = Driven(Gateio, ["book_update"], ["NEO_BTC"])
    update = UPDATE.replace("GMT_USDT", "NEO_BTC")
    trades = wire.adapter.topics(["trade"], ["NEO_BTC"])
    wire.adapter.subscribe(trades)
    wire.parse(TRADE)
    wire.adapter.unsubscribe(trades)
    ended = ACK.replace('"subscribe"', '"unsubscribe"').replace("order_book_update", "trades")
    wire.parse(ended.replace('"id": 1', '"id": 3'))
    wire.take_notices()
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE)
    assert wire.parse(update) == []
    assert wire.take_notices() != [], "the book exists and asks for its snapshot"
    wire.answer("/api/v4/spot/order_book?currency_pair=NEO_BTC", b"{}")
    assert wire.take_notices() != [], "the answer belongs to a book: it is rejected, not ignored"


def test_an_unsubscribed_book_is_forgotten() -> None:
    wire = Driven(Gateio, ["book_update"], ["GMT_USDT"])
    wire.parse(UPDATE)
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(ACK.replace('"subscribe"', '"unsubscribe"').replace('"id": 1', '"id": 2'))
    wire.take_notices()
    with pytest.raises(UnrecognizedFrame):
        wire.parse(UPDATE)
    assert wire.answer("/api/v4/spot/order_book?currency_pair=GMT_USDT", b"{}") == []
    assert wire.take_notices() == []


def test_a_recorded_snapshot_opens_its_book_in_replay() -> None:
    path = "/api/v4/spot/order_book?currency_pair=GMT_USDT"
    body = {"id": 9, "current": 1, "update": 1, "bids": [["1", "2"]], "asks": [["3", "4"]]}
    wire = Driven(Gateio, adopt=True)
    (snapshot,) = wire.answer(path, body)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.symbol, snapshot.bids, snapshot.asks) == ("GMT_USDT", [("1", "2")], [("3", "4")])
    assert list(wire.adapter.last_data_ns.values()) == [RECEIVE_NS]
    assert Driven(Gateio).answer(path, body) == []
    refused = Driven(Gateio, adopt=True)
    assert refused.answer(path, b"", status=500) == []
    assert refused.adapter.last_data_ns == {}, "nothing has come"
