from __future__ import annotations

import json
from typing import Any

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.upbit.samples import TRADE

FORM = {"format": "DEFAULT"}
TRADES, BOOK = "trade:KRW-BTC", "orderbook:KRW-BTC.15"


def _listing(number: int) -> list[Any]:
    return [{"ticket": f"foxtrot-{number}"}, {"method": "LIST_SUBSCRIPTIONS"}, FORM]


def _answer(number: int, *rows: tuple[str, str]) -> dict[str, Any]:
    result = [{"type": kind, "codes": [code]} for kind, code in rows]
    return {"method": "LIST_SUBSCRIPTIONS", "result": result, "ticket": f"foxtrot-{number}"}


def _texts(texts: list[str]) -> list[Any]:
    return [json.loads(text) for text in texts]


def test_a_request_names_all_topics_and_is_followed_by_a_question() -> None:
    wire = Driven(Upbit, ["trade", "book15", "bar_1s"], ["KRW-BTC", "KRW-ETH"])
    request = [
        {"ticket": "foxtrot-1"},
        {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"], "is_only_realtime": True},
        {"type": "orderbook", "codes": ["KRW-BTC.15", "KRW-ETH.15"]},
        {"type": "candle.1s", "codes": ["KRW-BTC", "KRW-ETH"]},
        FORM,
    ]
    assert _texts(wire.requests) == [request, _listing(1)]
    more = wire.adapter.subscribe(wire.adapter.topics(["ticker"], ["KRW-XRP"]))
    request[0] = {"ticket": "foxtrot-2"}
    request.insert(4, {"type": "ticker", "codes": ["KRW-XRP"]})
    assert _texts(more) == [request, _listing(2)]


def test_the_example_of_the_documents_has_the_same_form() -> None:
    example = json.loads(
        '[{"ticket": "bd10766d"}, {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}, {"type": "orderbook", "codes": '
        '["KRW-BTC.15"], "is_only_realtime": true}, {"type": "candle.1s", "codes": ["KRW-BTC"]}, {"format": "DEFAULT"}]'
    )
    ours = json.loads(Driven(Upbit, ["trade"], ["KRW-BTC", "KRW-ETH"]).requests[0])
    assert [next(iter(part)) for part in ours] == [next(iter(example[place])) for place in (0, 1, 4)]
    assert json.loads('[{"ticket": "bd10766d"}, {"method": "LIST_SUBSCRIPTIONS"}]')[1] == _listing(1)[1]


def test_the_list_acknowledges_what_it_has_and_refuses_the_rest() -> None:
    wire = Driven(Upbit, ["trade", "book15"], ["KRW-BTC"])
    wire.parse(_answer(1, ("ticker", "KRW-BTC"), ("orderbook", "KRW-BTC")))
    assert wire.take_notices() == [
        Acknowledged((BOOK,)),
        Refused((TRADES,), "not in the list of subscriptions", "later"),
    ]
    wire.parse(
        '{"method": "LIST_SUBSCRIPTIONS", "result": [{"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "orderbook", '
        '"codes": ["KRW-BTC"], "level": 0}], "ticket": "bd10766d"}'
    )
    assert wire.take_notices() == []
    again = json.loads(wire.adapter.subscribe(wire.adapter.topics(["ticker"], ["KRW-BTC"]))[0])
    assert [part["type"] for part in again[1:-1]] == ["orderbook", "ticker"]


def test_a_topic_that_delivers_is_subscribed_whatever_the_list_says() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-DOGE"])
    wire.parse(TRADE)
    wire.parse(_answer(1))
    assert wire.take_notices() == [Acknowledged(("trade:KRW-DOGE",))]


def test_each_request_has_its_own_answer() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-BTC"])
    wire.adapter.subscribe(wire.adapter.topics(["ticker"], ["KRW-BTC"]))
    wire.parse(_answer(1, ("trade", "KRW-BTC")))
    assert wire.take_notices() == [Acknowledged((TRADES,))]
    wire.parse(_answer(2, ("trade", "KRW-BTC"), ("ticker", "KRW-BTC")))
    assert wire.take_notices() == [Acknowledged(("ticker:KRW-BTC",))]


def test_an_unsubscription_leaves_topics_out() -> None:
    wire = Driven(Upbit, ["trade", "book15"], ["KRW-BTC"])
    texts = wire.adapter.unsubscribe(wire.topics[:1])
    request = [{"ticket": "foxtrot-2"}, {"type": "orderbook", "codes": ["KRW-BTC.15"]}, FORM]
    assert _texts(texts) == [request, _listing(2)]
    wire.parse(_answer(2, ("orderbook", "KRW-BTC.15")))
    assert wire.take_notices() == [Acknowledged((TRADES,), subscribed=False)]


def test_where_nothing_is_left_the_present_state_is_asked_for_once() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-BTC"])
    request = json.loads(wire.adapter.unsubscribe(wire.topics)[0])
    assert request[1] == {"type": "trade", "codes": ["KRW-BTC"], "is_only_snapshot": True}
    wire.parse(_answer(2))
    assert wire.take_notices() == [Acknowledged((TRADES,), subscribed=False)]


def test_a_topic_that_was_subscribed_again_does_not_end() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-BTC"])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(_answer(2))
    assert [notice for notice in wire.take_notices() if isinstance(notice, Acknowledged)] == []
    wire = Driven(Upbit, ["trade"], ["KRW-BTC"])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(_answer(3, ("trade", "KRW-BTC")))
    assert wire.take_notices() == [Acknowledged((TRADES,))]


def test_an_error_is_of_the_oldest_request() -> None:
    wire = Driven(Upbit, ["trade"], ["KRW-BTC"])
    wire.parse('{"error": {"name": "WRONG_FORMAT", "message": "Format mismatch"}}')
    assert wire.take_notices() == [Refused((TRADES,), "WRONG_FORMAT: Format mismatch", "never")]
    wire.parse({"error": {"name": "TOO_MANY", "message": "slow down"}})
    assert wire.take_notices() == [Refused((), "TOO_MANY: slow down", "later", exact=False)]


def test_unsubscribing_nothing_sends_nothing() -> None:
    assert Driven(Upbit, ["trade"], ["KRW-BTC"]).adapter.unsubscribe([]) == []
