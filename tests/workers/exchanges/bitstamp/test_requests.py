from __future__ import annotations

import json

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from tests.workers.exchanges.driven import Driven

WIRE = "diff_order_book_btcusd"


def test_a_request_names_one_channel() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd", "ethusd"])
    assert [json.loads(text) for text in wire.requests] == [
        json.loads('{"event": "bts:subscribe", "data": {"channel": "diff_order_book_btcusd"}}'),
        {"event": "bts:subscribe", "data": {"channel": "diff_order_book_ethusd"}},
    ]
    assert json.loads(wire.adapter.unsubscribe(wire.topics)[0]) == json.loads(
        '{"event": "bts:unsubscribe", "data": {"channel": "diff_order_book_btcusd"}}'
    )


def test_an_answer_names_its_channel() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse('{"event": "bts:subscription_succeeded", "channel": "diff_order_book_btcusd", "data": {}}')
    assert wire.take_notices() == [Acknowledged((WIRE,))]
    ended = '{"event": "bts:unsubscription_succeeded", "channel": "diff_order_book_btcusd", "data": {}}'
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(ended)
    assert wire.take_notices() == []
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(ended)
    assert wire.take_notices() == [Acknowledged((WIRE,), subscribed=False)]


def test_an_error_is_of_the_channel_that_it_names() -> None:
    wire = Driven(Bitstamp, ["book"], ["btcusd"])
    wire.parse(
        '{"event": "bts:error", "channel": "", "data": {"code": 4009, "message": "Connection is unauthorized."}}'
    )
    wire.parse({"event": "bts:error", "channel": WIRE, "data": {"code": None, "message": "Bad subscription string."}})
    wire.parse({"event": "bts:error", "channel": "", "data": "odd"})
    assert wire.take_notices() == [
        Refused((), "4009: Connection is unauthorized.", "never", exact=False),
        Refused((WIRE,), "None: Bad subscription string.", "later"),
        Refused((), "None: ", "later", exact=False),
    ]
