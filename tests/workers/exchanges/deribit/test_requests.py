from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.deribit.adapter import Deribit
from foxtrot_workers.exchanges.deribit.requests import answer_to_test, opening_texts, retry_of
from tests.workers.exchanges.deribit.samples import INSTRUMENT
from tests.workers.exchanges.driven import Driven

BOOK, TRADES = "book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms"


def _request(method: str, topics: list[str], request_id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": f"public/{method}", "params": {"channels": topics}}


def test_a_connection_asks_for_heartbeats_first() -> None:
    heartbeat, platform = map(json.loads, opening_texts())
    assert heartbeat == {"jsonrpc": "2.0", "id": 0, "method": "public/set_heartbeat", "params": {"interval": 10}}
    assert platform == _request("subscribe", ["platform_state"], 0)
    assert json.loads(answer_to_test()) == {"jsonrpc": "2.0", "id": 0, "method": "public/test", "params": {}}


def test_channels_of_one_topic_are_requested_once() -> None:
    wire = Driven(Deribit, ["book", "trade", "liquidation", "funding", "mark_price"], [INSTRUMENT])
    topics = [BOOK, TRADES, "ticker.BTC-PERPETUAL.100ms"]
    assert [json.loads(text) for text in wire.requests] == [_request("subscribe", topics, 1)]
    wire.parse(
        '{"jsonrpc": "2.0", "id": 1, "result": ["trades.BTC-PERPETUAL.100ms", "book.BTC-PERPETUAL.100ms"], '
        '"testnet": false, "usIn": 1699999999000000, "usOut": 1699999999001000, "usDiff": 1000}'
    )
    ticker = "ticker.BTC-PERPETUAL.100ms"
    refused = Refused(
        (f"{ticker}#funding", f"{ticker}#mark_price"), "not among the channels that the exchange accepted", "never"
    )
    assert wire.take_notices() == [Acknowledged((TRADES, f"{TRADES}#liquidation", BOOK)), refused]


def test_an_unsubscription_ends_topics() -> None:
    wire = Driven(Deribit, ["book"], [INSTRUMENT])
    [request] = wire.adapter.unsubscribe(wire.topics)
    assert json.loads(request) == _request("unsubscribe", [BOOK], 2)
    wire.parse({"jsonrpc": "2.0", "id": 2, "result": [BOOK]})
    assert wire.take_notices() == [Acknowledged((BOOK,), subscribed=False)]


def test_a_topic_that_was_subscribed_again_does_not_end() -> None:
    wire = Driven(Deribit, ["book"], [INSTRUMENT])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"jsonrpc": "2.0", "id": 2, "result": [BOOK]})
    assert wire.take_notices() == []


def test_a_channel_leaves_a_topic_that_others_need() -> None:
    wire = Driven(Deribit, ["ticker", "funding"], [INSTRUMENT])
    assert wire.adapter.unsubscribe(wire.topics[1:]) == []
    assert wire.take_notices() == [Acknowledged(("ticker.BTC-PERPETUAL.100ms#funding",), subscribed=False)]


def test_an_error_is_of_the_whole_request() -> None:
    wire = Driven(Deribit, ["book", "trade"], [INSTRUMENT])
    wire.parse('{"jsonrpc": "2.0", "id": 1, "error": {"code": 10028, "message": "too_many_requests", "data": null}}')
    assert wire.take_notices() == [Refused((BOOK, TRADES), "10028: too_many_requests", "later", exact=False)]


@pytest.mark.parametrize(("code", "retry"), [(-32602, "never"), (13009, "never"), (10028, "later"), (0, "later")])
def test_only_refusals_that_cannot_change_are_final(code: int, retry: str) -> None:
    assert retry_of(code) == retry
