from __future__ import annotations

import pytest

from foxtrot_workers.adapter import CloseAnnounced, Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.bitstamp import adapter as bitstamp
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.bitstamp.samples import BACKFILLS, DIFFERENCE, PICTURE, SAMPLES, TRADE
from tests.workers.exchanges.driven import Driven


def test_it_conforms() -> None:
    check_adapter(Bitstamp, SAMPLES, backfills=BACKFILLS)


def test_wire_names_of_topics_are_lower_case() -> None:
    assert Bitstamp().topics(["trade", "book"], ["BTCUSD", "btcusd"]) == [
        Topic("trade", "btcusd", "live_trades_btcusd"),
        Topic("book", "btcusd", "diff_order_book_btcusd"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [(["nope"], ["btcusd"]), (["book", "book100"], ["btcusd"]), (["trade"], [""]), (["trade"], ["btc/usd"])],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|cannot be a market"):
        Bitstamp().topics(channels, symbols)


def test_heartbeats_and_the_announcement_of_the_close() -> None:
    wire = Driven(Bitstamp)
    wire.parse('{"event": "bts:heartbeat"}')
    wire.parse('{"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}')
    wire.parse('{"event": "bts:request_reconnect", "channel": "", "data": ""}')
    assert wire.take_notices() == [Pong(), Pong(), CloseAnnounced("the exchange asks to connect again")]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"event":"bts:other"}',
        '{"event":"data","data":{}}',
        '{"data":{},"channel":"live_orders_btcusd","event":"order_created"}',
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(text: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Bitstamp, adopt=True).parse(text)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="order_book_btcusd"):
        Driven(Bitstamp, ["book"], ["btcusd"]).parse(PICTURE)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitstamp, "ADOPTED_MAX", 1)
    wire = Driven(Bitstamp, adopt=True)
    wire.parse(TRADE)
    with pytest.raises(UnrecognizedFrame):
        wire.parse(PICTURE)
    book = b'{"microtimestamp":"1","bids":[["1","1"]],"asks":[]}'
    assert len(wire.answer("/api/v2/order_book/btcusd/", book)) == 1
    assert wire.answer("/api/v2/order_book/ethusd/", book) == []


def test_an_unsubscribed_book_is_forgotten() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(DIFFERENCE)
    wire.adapter.unsubscribe(wire.topics)
    wire.parse('{"event":"bts:unsubscription_succeeded","channel":"diff_order_book_btcusd","data":{}}')
    assert wire.adapter.held_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(DIFFERENCE)


def test_the_rule_for_books_depends_on_the_channel() -> None:
    assert Bitstamp().identity_rules(["book"])["eBook."] == "update_ids"
    assert Bitstamp().identity_rules(["book100"])["eBook."] == "latest"


def test_the_end_of_trades_leaves_the_book() -> None:
    wire = Driven(Bitstamp, ["book", "trade"], ["btcusd"])
    wire.parse(DIFFERENCE)
    held = dict(wire.adapter.held_ns)
    wire.adapter.unsubscribe(wire.topics[1:])
    wire.parse('{"event":"bts:unsubscription_succeeded","channel":"live_trades_btcusd","data":{}}')
    wire.parse(DIFFERENCE)
    assert wire.adapter.held_ns.keys() == held.keys()
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE.replace("ethusd", "btcusd"))


def test_subscribing_trades_again_keeps_their_stream() -> None:
    wire = Driven(Bitstamp, ["trade"], ["ethusd"])
    before = wire.parse(TRADE)
    assert wire.adapter.subscribe(wire.topics) == wire.requests
    assert wire.parse(TRADE) == before
