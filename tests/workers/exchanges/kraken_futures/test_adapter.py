from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.kraken_futures import adapter as kraken_futures
from foxtrot_workers.exchanges.kraken_futures.adapter import KrakenFutures
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.kraken_futures.samples import PRODUCT, SAMPLES, connection, snapshot, ticker, trade
from tests.workers.exchanges.references import needs_references, recorded_frames, sheet_lines, single_frames


def test_it_conforms() -> None:
    check_adapter(KrakenFutures, SAMPLES)


def test_products_are_upper_case_however_they_are_configured() -> None:
    topics = KrakenFutures().topics(["book", "liquidation"], ["pi_xbtusd", PRODUCT])
    assert topics == [
        Topic("book", PRODUCT, "book:PI_XBTUSD"),
        Topic("liquidation", PRODUCT, "trade:PI_XBTUSD#liquidation"),
    ]


@pytest.mark.parametrize(
    ("channel", "symbol"), [("bar_1m", PRODUCT), ("book", ""), ("book", "A:B"), ("book", "A" * 65)]
)
def test_impossible_topics_are_refused(channel: str, symbol: str) -> None:
    with pytest.raises(ValueError, match=r"no channel|cannot be"):
        KrakenFutures().topics([channel], [symbol])


@pytest.mark.parametrize(
    "message",
    [{}, {"feed": "fills"}, {"event": "challenge"}, {"feed": "account_log", "product_id": PRODUCT}, {"feed": "book"}],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(message: Any) -> None:
    with pytest.raises(UnrecognizedFrame):
        replaying(KrakenFutures).parse(message)


def test_greetings_heartbeats_and_alerts_are_no_data() -> None:
    wire = connection("trade")
    wire.parse({"event": "info", "version": 1})
    wire.parse({"feed": "heartbeat", "time": 1534262350627})
    wire.parse({"event": "alert", "message": "Already subscribed to feed, re-requesting"})
    assert wire.take_notices() == []
    assert wire.adapter.last_data_ns == {}


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade())) == 1
    wire.parse({"event": "unsubscribed", "feed": "trade", "product_ids": [PRODUCT]})
    assert wire.take_notices() == [Acknowledged(("trade:PI_XBTUSD",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade())


def test_channels_of_a_ticker_are_subscribed_once_and_end_apart() -> None:
    wire = connection("ticker", "funding", "mark_price", "open_interest")
    assert len(wire.requests) == 1
    assert len(wire.parse(ticker())) == 4
    assert len(wire.adapter.last_data_ns) == 4
    assert wire.adapter.unsubscribe(wire.topics[:2]) == []
    assert [type(event).__name__ for event in wire.parse(ticker())] == ["MarkPrice", "OpenInterest"]
    assert wire.take_notices() == [
        Acknowledged(("ticker:PI_XBTUSD", "ticker:PI_XBTUSD#funding"), subscribed=False),
    ]


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel).parse(sample.frame)
        other = b'{"x":1,' + sample.frame[1:]
        assert connection(sample.channel).parse(msgspec.json.format(sample.frame, indent=2)) == expected
        assert connection(sample.channel).parse(other) == expected


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kraken_futures, "ADOPTED_MAX", 1)
    wire = replaying(KrakenFutures)
    wire.parse(trade())
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade().replace(b"XBT", b"ETH"))
    with pytest.raises(UnrecognizedFrame):
        replaying(KrakenFutures).parse(trade().replace(b"PI_XBTUSD", b"a b"))


def test_a_replay_names_products_as_the_list_of_its_day_does() -> None:
    body = b'{"instruments":[{"symbol":"pi_xbtusd","tradeable":true},{"symbol":"in_xbtusd","tradeable":false}]}'
    wire = replaying(KrakenFutures)
    assert wire.adapter.instruments(body) == {"pi_xbtusd": "BTC-USD-PERP"}
    (event,) = wire.parse(snapshot())
    assert event.symbol == "pi_xbtusd"
    assert KrakenFutures().instruments(body) == {"PI_XBTUSD": "BTC-USD-PERP"}


EXPECTED = {
    "ws_futures_book_delta": ["Gap"],  # a change without its snapshot
    "ws_futures_book_snapshot": ["BookSnapshot"],
    "ws_futures_book_snapshot_with_zero_qty": ["BookSnapshot"],
    "ws_futures_ticker": ["Ticker", "Funding", "MarkPrice", "OpenInterest"],
    "ws_futures_trade": ["Trade"],
    "ws_futures_trade_snapshot": ["Trade", "Trade"],
}


@needs_references
def test_single_frames_mean_what_the_documentation_says() -> None:
    for source, sample in single_frames("kraken_futures"):
        events = replaying(KrakenFutures).parse(sample)
        assert [type(event).__name__ for event in events] == EXPECTED[source], source


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    wire = replaying(KrakenFutures)
    made: list[str] = []
    requests = []
    for line in sheet_lines("### 7.7"):
        message = msgspec.json.decode(line)
        if message.get("event") in ("subscribe", "unsubscribe"):
            requests.append(message)
            continue
        made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == [
        *("BookSnapshot", "Gap", "Trade", "Trade", "Ticker"),
        *("Ticker", "Funding", "MarkPrice", "OpenInterest"),
    ]
    assert connection("book", products=["PI_XBTUSD", "PF_ETHUSD"]).requests == requests[:1]
    assert len(requests) == 2


@needs_references
def test_mutated_recorded_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    frames = list(recorded_frames("kraken_futures"))
    adapter = KrakenFutures(adopt=True)
    for _ in range(2_000):
        damaged = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_one_list_has_all_products() -> None:
    assert KrakenFutures().instruments_path([PRODUCT]) == "/derivatives/api/v3/instruments"
    assert KrakenFutures().instrument("pf_ethusd") == "ETH-USD-PERP"
    assert KrakenFutures().address("wss://proxy") == "wss://proxy"
