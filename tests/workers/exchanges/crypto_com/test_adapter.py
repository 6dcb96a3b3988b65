from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, SendText, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.crypto_com import adapter as crypto_com
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.crypto_com.samples import (
    PERPETUAL,
    SAMPLES,
    SPOT,
    connection,
    frame,
    ticker,
    trade,
    whole,
)
from tests.workers.exchanges.references import needs_references, sheet_lines


def test_it_conforms() -> None:
    check_adapter(CryptoCom, SAMPLES)


def test_topics_are_named_as_the_exchange_names_them() -> None:
    topics = CryptoCom().topics(["trade", "book10", "bar_1D", "open_interest"], ["btc_usd"])
    assert topics[0] == Topic("trade", "BTC_USD", "trade.BTC_USD")
    assert [topic.wire for topic in topics[1:]] == [
        "book.BTC_USD.10",
        "candlestick.1D.BTC_USD",
        "ticker.BTC_USD#open_interest",
    ]


@pytest.mark.parametrize(
    ("channels", "symbol"), [(["quote"], "A_B"), (["book", "book10"], "A_B"), (["trade"], "A.B"), (["trade"], "")]
)
def test_impossible_topics_are_refused(channels: list[str], symbol: str) -> None:
    with pytest.raises(ValueError, match=r"no channel|only one|cannot be"):
        CryptoCom().topics(channels, [symbol])


@pytest.mark.parametrize("number", ["1587523073344", "99999999999999999999999", '"abc"'])
def test_a_heartbeat_is_answered_with_its_id(number: str) -> None:
    wire = connection("trade")
    assert wire.parse(f'{{"id":{number},"method":"public/heartbeat","code":0}}'.encode()) == []
    assert wire.take_notices() == [SendText(f'{{"id":{number},"method":"public/respond-heartbeat"}}')]
    assert wire.adapter.last_data_ns == {}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "public/auth", "code": 0},
        frame("user.order.BTC_USD", {}),
        frame("candlestick.9m.BTC_USD", {}),
        frame("trade.a b", trade()),
        {"method": "subscribe", "result": {"data": []}},
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(message: Any) -> None:
    with pytest.raises(UnrecognizedFrame):
        replaying(CryptoCom).parse(message)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame):
        connection("ticker").parse(frame(f"trade.{PERPETUAL}", trade()))


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    data = frame(f"trade.{PERPETUAL}", trade())
    wire.parse(data)
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(data)) == 1
    wire.take_notices()
    wire.parse({"id": 2, "method": "unsubscribe", "code": 0})
    assert wire.take_notices() == [Acknowledged((f"trade.{PERPETUAL}",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(data)
    assert wire.adapter.last_data_ns == {}


def test_ticker_and_open_interest_share_a_topic() -> None:
    wire = connection("ticker", "open_interest")
    data = frame(f"ticker.{PERPETUAL}", ticker())
    assert [type(event).__name__ for event in wire.parse(data)] == ["Ticker", "OpenInterest"]
    assert wire.adapter.last_data_ns == {f"ticker.{PERPETUAL}": 7, f"ticker.{PERPETUAL}#open_interest": 7}
    assert wire.adapter.unsubscribe(wire.topics[:1]) == []
    assert [type(event).__name__ for event in wire.parse(data)] == ["OpenInterest"]
    assert len(wire.adapter.unsubscribe(wire.topics[1:])) == 1


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel, symbols=[sample.symbol]).parse(sample.frame)
        message = msgspec.json.decode(sample.frame)
        result = dict(reversed(message["result"].items()))
        for other in (
            msgspec.json.format(sample.frame, indent=2),
            msgspec.json.encode({**message, "result": result}) if sample.frame.find(b'"i"') > 0 else sample.frame,
            sample.frame.replace(b'"code":0', b'"code":0,"x":1'),
        ):
            wire = connection(sample.channel, symbols=[sample.symbol])
            assert wire.parse(other) == expected
            assert len(wire.parse(other)) == len(expected), "the second time by what was learned from the first"


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto_com, "ADOPTED_MAX", 2)
    wire = replaying(CryptoCom)
    for symbol in ("A_B", "C_D"):
        wire.parse(frame(f"trade.{symbol}", trade()))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(frame("trade.E_F", trade()))


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    wire = replaying(CryptoCom)
    made: list[str] = []
    requests = []
    for line in sheet_lines("### 7.13"):
        message = msgspec.json.decode(line)
        if "params" in message or message["method"] == "public/respond-heartbeat":
            requests.append(message)
            continue
        made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == [
        *("BookSnapshot", "BookDelta", "Trade", "Ticker", "OpenInterest", "MarkPrice", "Funding", "BookSnapshot"),
    ]
    assert [type(notice).__name__ for notice in wire.take_notices()] == ["Refused", "SendText"]
    sent = CryptoCom()
    topics = [
        *sent.topics(["book"], [PERPETUAL]),
        *sent.topics(["trade", "ticker"], ["BTC_USD"]),
    ]
    (text,) = sent.subscribe(topics)
    assert msgspec.json.decode(text)["params"] == requests[0]["params"]


def test_mutated_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    adapter = CryptoCom(adopt=True)
    for _ in range(3_000):
        damaged = bytearray(rng.choice(SAMPLES).frame)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_instruments_are_listed_at_one_path() -> None:
    assert CryptoCom().instruments_path([SPOT]) == "/public/get-instruments"
    assert CryptoCom().instrument(PERPETUAL) == "BTC-USD-PERP"
    assert CryptoCom().address("wss://proxy") == "wss://proxy"


def test_a_book_is_subscribed_again_to_resynchronize() -> None:
    wire = connection("trade", "book", symbols=[SPOT])
    assert [topic.channel for topic in wire.adapter.resync(wire.topics)] == ["book"]
    assert len(wire.parse(frame(f"book.{SPOT}.50", whole()))) == 1
