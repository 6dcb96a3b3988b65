from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Pong, Refused, SendText
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.messages import ArgRow, UnifiedArg
from foxtrot_workers.exchanges.bitget.requests import arg_of, retry_of, topic_named_by, unified_arg_of
from foxtrot_workers.exchanges.bitget.variants import BitgetFutures
from tests.workers.exchanges.bitget.samples import ACK, ERROR, OLD_SUBSCRIBE, SUBSCRIBE, U_SUBSCRIBE, UNSUBSCRIBED
from tests.workers.exchanges.driven import Driven


def test_requests_of_v2() -> None:
    wanted = [msgspec.json.decode(SUBSCRIBE)["args"][index] for index in (0, 1)]
    assert msgspec.to_builtins(arg_of("SPOT:books:BTCUSDT")) == wanted[0]
    assert msgspec.to_builtins(arg_of("USDT-FUTURES:ticker:BTCUSDT")) == wanted[1]
    adapter = Bitget()
    topics = adapter.topics(["ticker"], ["BTCUSDT"])
    adapter.address("wss://ws.bitget.com/v2/ws/public")
    (text,) = adapter.subscribe(topics)
    assert msgspec.json.decode(text) == {
        "op": "subscribe",
        "args": [{"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}],
    }


def test_requests_of_v3() -> None:
    adapter = BitgetFutures()
    topics = adapter.topics(["trade", "liquidation"], ["BTCUSDT"])
    assert adapter.address(BitgetFutures.url) == "wss://ws.bitget.com/v3/ws/public"
    (text,) = adapter.subscribe(topics)
    assert msgspec.json.decode(text) == msgspec.json.decode(U_SUBSCRIBE)
    assert unified_arg_of("SPOT:candle1H:BTCUSDT") == UnifiedArg("spot", "kline", "BTCUSDT", "1H")


@pytest.mark.parametrize(
    ("arg", "topic"),
    [
        (ArgRow("sp", "books", "EOSUSDT"), "SP:books:EOSUSDT"),
        (ArgRow("SPOT", "candle1m", "X"), "SPOT:candle1m:X"),
        (ArgRow("usdt-futures", "", "", "publicTrade", "BTCUSDT"), "USDT-FUTURES:trade:BTCUSDT"),
        (ArgRow("spot", "", "", "kline", "X", "1m"), "SPOT:candle1m:X"),
        (ArgRow("usdt-futures", "", "", "liquidation"), "USDT-FUTURES:liquidation:"),
    ],
)
def test_arguments_of_all_versions_name_topics(arg: ArgRow, topic: str) -> None:
    assert topic_named_by(arg) == topic


def test_a_request_of_v1_named_its_topics_likewise() -> None:
    (arg,) = msgspec.json.decode(OLD_SUBSCRIBE)["args"]
    assert msgspec.to_builtins(arg_of("SP:books:EOSUSDT")) == arg


def test_answers_name_their_topic() -> None:
    wire = Driven(Bitget, ["book"], ["BTCUSDT"])
    wire.parse(ACK)
    assert wire.take_notices() == [Acknowledged(("SPOT:books:BTCUSDT",))]
    wire.parse(UNSUBSCRIBED)
    assert wire.take_notices() == [], "nobody has asked for it"
    wire.adapter.unsubscribe(wire.topics)
    wire.parse(UNSUBSCRIBED)
    assert wire.take_notices() == [Acknowledged(("SPOT:books:BTCUSDT",), subscribed=False)]


def test_refusals() -> None:
    wire = Driven(Bitget, ["book"], ["XXUSDT"])
    wire.parse(ERROR)
    reason = "30001: instType:SPOT,channel:books,instId:XXUSDT doesn't exist"
    assert wire.take_notices() == [Refused(("SPOT:books:XXUSDT",), reason, "never")]
    wire.parse('{"event":"error","code":30006,"msg":"too many requests"}')
    assert wire.take_notices() == [Refused((), "30006: too many requests", "later", exact=False)]


@pytest.mark.parametrize(("code", "retry"), [(30001, "never"), ("30016", "never"), (30007, "later"), ("", "later")])
def test_codes(code: int | str, retry: str) -> None:
    assert retry_of(code) == retry


def test_pings_and_pongs_are_text() -> None:
    wire = Driven(Bitget)
    wire.parse(b"pong")
    wire.parse(b"ping")
    assert wire.take_notices() == [Pong(), SendText("pong")]
