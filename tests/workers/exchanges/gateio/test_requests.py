from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Pong, Refused
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.constants import LIMITS, LIMITS_FUTURES
from foxtrot_workers.exchanges.gateio.messages import ErrorBody
from foxtrot_workers.exchanges.gateio.requests import retry_of
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.gateio.samples import (
    ACK,
    DUPLICATE,
    FUTURES_ACK,
    FUTURES_PING,
    FUTURES_PONG,
    FUTURES_SUBSCRIBE,
    PING,
    PONG,
    REFUSED,
    SUBSCRIBE,
    UNSUBSCRIBE,
)


def test_requests_carry_the_time_of_the_connection() -> None:
    adapter = Gateio()
    adapter.opened_ns = 1650189272_123456789
    topics = adapter.topics(["book_update"], ["BTC_USDT"])
    assert [msgspec.json.decode(text) for text in adapter.subscribe(topics)] == [msgspec.json.decode(SUBSCRIBE)]
    assert [msgspec.json.decode(text) for text in adapter.unsubscribe(topics)] == [
        {**msgspec.json.decode(UNSUBSCRIBE), "id": 2}
    ]
    futures = GateioFutures()
    futures.opened_ns = 1684930165 * 10**9
    (text,) = futures.subscribe(futures.topics(["book_update"], ["DIA_USDT"]))
    assert msgspec.json.decode(text) == {**msgspec.json.decode(FUTURES_SUBSCRIBE), "id": 1}


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("book", ["ob.BTC_USDT.400"]),
        ("book50_obu", ["ob.BTC_USDT.50"]),
        ("book20", ["BTC_USDT", "20", "100ms"]),
        ("bar_1m", ["1m", "BTC_USDT"]),
        ("trade", ["BTC_USDT", "ETH_USDT"]),
    ],
)
def test_books_and_bars_have_a_request_each(channel: str, payload: list[str]) -> None:
    requests = [msgspec.json.decode(text) for text in Driven(Gateio, [channel], ["BTC_USDT", "ETH_USDT"]).requests]
    assert requests[0]["payload"] == payload
    assert len(requests) == (1 if channel == "trade" else 2)


def test_an_answer_names_only_its_request() -> None:
    wire = Driven(Gateio, ["book_update"], ["BTC_USDT"])
    wire.parse(ACK)
    assert wire.take_notices() == [Acknowledged(("spot.order_book_update:BTC_USDT",))]
    wire.parse(ACK)
    assert wire.take_notices() == []
    Driven(GateioFutures, adopt=True).parse(FUTURES_ACK)


def test_refusals_and_duplicates() -> None:
    wire = Driven(Gateio, ["trade"], ["LUNARLENS_USDT"])
    wire.parse(REFUSED)
    reason = "2: unknown currency pair: LUNARLENS_USDT"
    assert wire.take_notices() == [Refused(("spot.trades:LUNARLENS_USDT",), reason, "never")]
    several = Driven(Gateio, ["trade"], ["LUNARLENS_USDT", "BTC_USDT"])
    several.parse(REFUSED)
    (refused,) = several.take_notices()
    assert isinstance(refused, Refused)
    assert not refused.exact, "one of them is unknown"
    futures = Driven(GateioFutures, ["book50_obu"], ["BTC_USDT"])
    futures.parse(DUPLICATE.replace('"channel"', '"id": 1, "channel"'))
    assert futures.take_notices() == [Acknowledged(("futures.obu:ob.BTC_USDT.50",))], "it is subscribed already"


def test_an_unsubscription_ends_with_its_acknowledgement() -> None:
    wire = Driven(Gateio, ["book_update"], ["BTC_USDT"])
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(ACK.replace('"subscribe"', '"unsubscribe"').replace('"id": 1', '"id": 2'))
    assert wire.take_notices() == [Acknowledged(("spot.order_book_update:BTC_USDT",), subscribed=False)]
    wire.parse(REFUSED.replace('"subscribe"', '"unsubscribe"'))
    assert wire.take_notices() == []


@pytest.mark.parametrize(
    ("code", "retry"), [(1, "never"), ("2", "never"), (3, "later"), (None, "later"), ("x", "later")]
)
def test_codes(code: int | str | None, retry: str) -> None:
    assert retry_of(ErrorBody(code)) == retry


def test_pings_name_the_channel_and_pongs_are_known() -> None:
    for ping, limits in ((PING, LIMITS), (FUTURES_PING, LIMITS_FUTURES)):
        assert limits.ping_text is not None
        assert msgspec.json.decode(limits.ping_text)["channel"] == msgspec.json.decode(ping)["channel"]
    spot, futures = Driven(Gateio), Driven(GateioFutures)
    spot.parse(PONG)
    futures.parse(FUTURES_PONG)
    assert spot.take_notices() == futures.take_notices() == [Pong()]
