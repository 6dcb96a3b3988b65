from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.upbit import adapter as upbit
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.upbit.samples import ORDERBOOK, SAMPLES, TRADE


def test_it_conforms() -> None:
    check_adapter(Upbit, SAMPLES)


def test_wire_names_of_topics_are_upper_case() -> None:
    assert Upbit().topics(["trade", "book5", "bar_4h"], ["krw-btc", "KRW-BTC"]) == [
        Topic("trade", "KRW-BTC", "trade:KRW-BTC"),
        Topic("book5", "KRW-BTC", "orderbook:KRW-BTC.5"),
        Topic("bar_4h", "KRW-BTC", "candle.240m:KRW-BTC"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [(["nope"], ["KRW-BTC"]), (["book", "quote"], ["KRW-BTC"]), (["trade"], ["BTC"]), (["trade"], [""])],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|cannot be a market"):
        Upbit().topics(channels, symbols)


def test_a_status_answers_the_ping() -> None:
    wire = Driven(Upbit)
    wire.parse('{"status": "UP"}')
    assert wire.take_notices() == [Pong()]


@pytest.mark.parametrize(
    "text", ["{}", '{"type":"trade"}', '{"type":"myOrder","code":"KRW-BTC"}', '{"type":"trade","code":"x"}']
)
def test_an_unknown_message_is_unrecognized_even_in_replay(text: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Upbit, adopt=True).parse(text)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="orderbook of KRW-DOT"):
        Driven(Upbit, ["trade"], ["KRW-DOT"]).parse(ORDERBOOK)


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upbit, "ADOPTED_MAX", 1)
    wire = Driven(Upbit, adopt=True)
    wire.parse(TRADE)
    with pytest.raises(UnrecognizedFrame):
        wire.parse(ORDERBOOK)


def test_an_unsubscribed_topic_is_forgotten() -> None:
    wire = Driven(Upbit, ["trade", "book"], ["KRW-DOGE"])
    wire.parse(TRADE)
    wire.adapter.unsubscribe(wire.topics[:1])
    wire.parse({"method": "LIST_SUBSCRIPTIONS", "result": [], "ticket": "foxtrot-2"})
    assert wire.adapter.last_data_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(TRADE)
