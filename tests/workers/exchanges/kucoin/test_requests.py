from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Greeted, Pong, Refused
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.constants import LIMITS
from foxtrot_workers.exchanges.kucoin.requests import read_access, retry_of
from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.kucoin.samples import (
    ACCESS,
    ACK,
    ERROR,
    FUTURES_SUBSCRIBE,
    PONG,
    SUBSCRIBE,
    UNIFIED_SUBSCRIBE,
    UNIFIED_WELCOME,
    UNSUBSCRIBE,
    WELCOME,
)


def test_symbols_of_one_kind_of_topic_share_a_request() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT", "ETH-USDT"])
    assert [msgspec.json.decode(text) for text in wire.requests] == [msgspec.json.decode(SUBSCRIBE)]
    futures = Driven(KucoinFutures, ["book"], ["XBTUSDTM", "ETHUSDTM"])
    expected = {**msgspec.json.decode(FUTURES_SUBSCRIBE), "privateChannel": False}
    assert [msgspec.json.decode(text) for text in futures.requests] == [expected]
    bars = Driven(Kucoin, ["bar_1m"], ["BTC-USDT", "ETH-USDT"])
    assert msgspec.json.decode(bars.requests[0])["topic"] == "/market/candles:BTC-USDT_1min,ETH-USDT_1min"


def test_books_of_the_unified_feed_have_a_request_each() -> None:
    wire = Driven(Kucoin, ["book500"], ["BTC-USDT", "ETH-USDT"])
    assert [msgspec.json.decode(text)["symbol"] for text in wire.requests] == ["BTC-USDT", "ETH-USDT"]
    assert msgspec.json.decode(wire.requests[0]) == msgspec.json.decode(UNIFIED_SUBSCRIBE)
    wire.parse('{"id":"2","result":true}')
    assert wire.take_notices() == [Acknowledged(("obu:ETH-USDT",))]
    wire.parse('{"id":"1","result":false,"code":"404","msg":"no such symbol"}')
    assert wire.take_notices() == [Refused(("obu:BTC-USDT",), "404: no such symbol", "never")]


def test_an_acknowledgement_is_of_all_topics_of_its_request() -> None:
    wire = Driven(Kucoin, ["trade"], ["BTC-USDT", "ETH-USDT"])
    wire.parse(ACK)
    assert wire.take_notices() == [Acknowledged(("/market/match:BTC-USDT", "/market/match:ETH-USDT"))]
    wire.parse(ACK)
    assert wire.take_notices() == [], "that request was answered"


def test_an_unsubscription_ends_with_its_acknowledgement() -> None:
    wire = Driven(Kucoin, ["book"], ["BTC-USDT"])
    wire.adapter.subscribe(wire.topics)
    (text,) = wire.adapter.unsubscribe(wire.topics)
    assert msgspec.json.decode(text) == msgspec.json.decode(UNSUBSCRIBE)
    wire.parse(ACK.replace("1", "3"))
    assert wire.take_notices() == [Acknowledged(("/market/level2:BTC-USDT",), subscribed=False)]


def test_one_subscribed_again_meanwhile_stays() -> None:
    wire = Driven(Kucoin, ["trade"], ["BTC-USDT"])
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse(ACK.replace("1", "2"))
    assert wire.take_notices() == [Acknowledged(("/market/match:BTC-USDT",))]


def test_refusals() -> None:
    wire = Driven(Kucoin, ["trade"], ["BTC-USDT", "ETH-USDT"])
    wire.parse(ERROR)
    wires = ("/market/match:BTC-USDT", "/market/match:ETH-USDT")
    assert wire.take_notices() == [Refused(wires, "415: type is not supported", "never", exact=False)]
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(ERROR.replace('"1"', '"2"'))
    assert wire.take_notices() == [], "an unsubscription that was refused concerns no topic"
    wire.parse('{"id":"9","type":"error","code":509,"data":"exceed max subscription count"}')
    assert wire.take_notices() == [Refused((), "509: exceed max subscription count", "later")]


@pytest.mark.parametrize(("code", "retry"), [(404, "never"), ("415", "never"), (509, "later"), ("", "later")])
def test_codes(code: int | str, retry: str) -> None:
    assert retry_of(code) == retry


@pytest.mark.parametrize(
    ("frame", "notice"),
    [
        (WELCOME, Greeted()),
        (UNIFIED_WELCOME, Greeted()),
        (PONG, Pong()),
        ('{"id":"ping","op":"pong","timestamp":"1"}', Pong()),
    ],
)
def test_greetings_and_pongs(frame: str, notice: object) -> None:
    wire = Driven(Kucoin)
    wire.parse(frame)
    assert wire.take_notices() == [notice]


def test_access_names_the_server_and_the_pings() -> None:
    url, limits = read_access(ACCESS.replace('"t"', '"a/b+c="').encode(), LIMITS, None)
    assert url == "wss://ws-api-spot.kucoin.com/?token=a%2Fb%2Bc%3D&connectId=82742775"
    assert (limits.ping_interval_s, limits.ping_idle_s, limits.silence_s) == (18.0, 18.0, 28.0)
    url, limits = read_access(ACCESS.replace("18000", "1e9").encode(), LIMITS, "ws://127.0.0.1:7/x")
    assert url.startswith("ws://127.0.0.1:7/x?token=t&connectId=")
    assert limits.ping_interval_s == 60.0


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"429000","msg":"too many requests"}',
        b'{"code":"200000"}',
        b'{"code":"200000","data":{"token":"","instanceServers":[]}}',
        ACCESS.replace("wss://ws-api-spot.kucoin.com/", "").encode(),
        ACCESS.replace("18000", "0").encode(),
    ],
)
def test_an_answer_without_a_server_gives_no_access(body: bytes) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        read_access(body, LIMITS, None)
