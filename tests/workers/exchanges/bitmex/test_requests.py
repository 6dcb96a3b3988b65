from __future__ import annotations

import msgspec

from foxtrot_workers.adapter import Acknowledged, Pong, Refused
from foxtrot_workers.exchanges.bitmex.adapter import Bitmex
from tests.workers.exchanges.bitmex.samples import ACK, ERROR, SUBSCRIBE, WELCOME
from tests.workers.exchanges.driven import Driven


def test_requests_and_answers_name_topics() -> None:
    wire = Driven(Bitmex, ["book", "trade"], ["XBTUSD"])
    assert [msgspec.json.decode(text) for text in wire.requests] == [msgspec.json.decode(SUBSCRIBE)]
    wire.parse(WELCOME)
    wire.parse(b"pong")
    wire.parse(ACK)
    assert wire.take_notices() == [Pong(), Acknowledged(("orderBookL2:XBTUSD",))]
    wire.adapter.unsubscribe(wire.topics[:1])
    wire.parse(ACK.replace('"subscribe":', '"unsubscribe":'))
    assert wire.take_notices() == [Acknowledged(("orderBookL2:XBTUSD",), subscribed=False)]
    wire.parse(ACK)
    assert wire.take_notices() == []


def test_refusals() -> None:
    wire = Driven(Bitmex, ["trade"], ["XBTUSD"])
    wire.parse(ERROR)
    assert wire.take_notices() == [Refused((), "400: Unknown table: foo", "never", exact=False)]
    wire.parse('{"status":429,"error":"Rate limit","request":{"op":"subscribe","args":["trade:XBTUSD",7]}}')
    assert wire.take_notices() == [Refused(("trade:XBTUSD",), "429: Rate limit", "later")]
    wire.parse('{"status":500,"error":"x","request":"y"}')
    assert wire.take_notices() == [Refused((), "500: x", "later", exact=False)]


def test_a_topic_stays_while_another_channel_needs_it() -> None:
    wire = Driven(Bitmex, ["mark_price", "open_interest"], ["XBTUSD"])
    assert [msgspec.json.decode(text)["args"] for text in wire.requests] == [["instrument:XBTUSD"]]
    assert wire.adapter.unsubscribe(wire.topics[1:]) == []
    assert wire.take_notices() == [Acknowledged(("instrument:XBTUSD#open_interest",), subscribed=False)]
