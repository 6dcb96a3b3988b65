from __future__ import annotations

import gzip
import json

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.requests import retry_of
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap
from tests.workers.exchanges.driven import Driven


def test_a_request_names_one_topic() -> None:
    wire = Driven(Huobi, ["book150_step0"], ["btcusdt"])
    assert wire.requests == ['{"sub":"market.btcusdt.depth.step0","id":"1"}']
    assert wire.adapter.unsubscribe(wire.topics) == ['{"unsub":"market.btcusdt.depth.step0","id":"2"}']


def test_increments_of_swaps_are_requested_as_such() -> None:
    request = '{"sub":"market.BTC-USDT.depth.size_150.high_freq","id":"1","data_type":"incremental"}'
    assert Driven(HuobiSwap, ["book"], ["BTC-USDT"]).requests == [request]
    assert "data_type" not in Driven(HuobiSwap, ["book20"], ["BTC-USDT"]).requests[0]


def test_notifications_have_a_form_of_their_own() -> None:
    wire = Driven(HuobiSwap, ["funding"], ["BTC-USDT"])
    assert json.loads(wire.requests[0]) == {"op": "sub", "cid": "1", "topic": "public.BTC-USDT.funding_rate"}
    wire.parse({"op": "sub", "cid": "1", "topic": "public.BTC-USDT.funding_rate", "ts": 1, "err-code": 0})
    assert wire.take_notices() == [Acknowledged(("public.BTC-USDT.funding_rate",))]


@pytest.mark.parametrize("request_id", ['"1"', "1"])
def test_an_acknowledgement_names_the_topic(request_id: str) -> None:
    wire = Driven(Huobi, ["book150_step0"], ["btcusdt"])
    frame = '{"id":1,"status":"ok","subbed":"market.btcusdt.depth.step0","ts":1618678070653}'
    wire.parse(gzip.compress(frame.replace("1", request_id, 1).encode()))
    assert wire.take_notices() == [Acknowledged(("market.btcusdt.depth.step0",))]


def test_an_unsubscription_ends_the_topic_unless_it_was_subscribed_again() -> None:
    wire = Driven(Huobi, ["book150_step0"], ["btcusdt"])
    answer = '{"id":"2","status":"ok","unsubbed":"market.btcusdt.depth.step0","ts":1618678070653}'
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(answer)
    assert wire.take_notices() == []
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(answer)
    assert wire.take_notices() == [Acknowledged(("market.btcusdt.depth.step0",), subscribed=False)]


def test_a_refusal_is_of_the_topic_of_its_request() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt", "linkusdt"])
    wire.parse(
        '{"ts":1586323747018,"status":"error","err-code":"bad-request","err-msg":"invalid mbp.150.symbol linkusdt",'
        '"id":"2"}'
    )
    reason = "bad-request: invalid mbp.150.symbol linkusdt"
    assert wire.take_notices() == [Refused(("market.linkusdt.mbp.150",), reason, "never")]
    wire.parse('{"ts":1,"status":"error","err-code":"too-many","err-msg":"slow down","id":null}')
    assert wire.take_notices() == [Refused((), "too-many: slow down", "later", exact=False)]


def test_a_refused_notification_names_its_topic() -> None:
    wire = Driven(HuobiSwap, ["liquidation"], ["BTC-USDT"])
    wire.parse({"op": "sub", "topic": "public.BTC-USDT.liquidation_orders", "err-code": 2011, "err-msg": "x", "ts": 1})
    assert wire.take_notices() == [Refused(("public.BTC-USDT.liquidation_orders",), "2011: x", "later")]


def test_only_refusals_that_cannot_change_are_final() -> None:
    assert retry_of("bad-request") == "never"
    assert retry_of("gateway-internal-error") == "later"
    assert retry_of(None) == "later"
