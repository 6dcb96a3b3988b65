from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta
from foxtrot_workers.adapter import Acknowledged, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.coinbase_advanced import adapter as coinbase_advanced
from foxtrot_workers.exchanges.coinbase_advanced.adapter import CoinbaseAdvanced
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.coinbase_advanced.samples import (
    BACKFILLS,
    PRODUCT,
    SAMPLES,
    book,
    connection,
    frame,
    snapshot,
    subscriptions,
    ticker,
    trade,
    trades,
)
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.references import needs_references, sheet_lines, single_frames


def test_it_conforms() -> None:
    check_adapter(CoinbaseAdvanced, SAMPLES, backfills=BACKFILLS)


def test_products_are_upper_case_however_they_are_configured() -> None:
    assert CoinbaseAdvanced().topics(["book"], ["btc-usd", PRODUCT]) == [Topic("book", PRODUCT, "level2:BTC-USD")]


@pytest.mark.parametrize(
    ("channel", "symbols"), [("quote", ["A-B"]), ("book", [""]), ("book", ["A B"]), ("book", ["BTC-USD", "BTC-USDC"])]
)
def test_impossible_topics_are_refused(channel: str, symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no channel|cannot be|under one name"):
        CoinbaseAdvanced().topics([channel], symbols)


@pytest.mark.parametrize("message", [{}, frame("status", 0), frame("user", 1), {"type": "other"}])
def test_an_unknown_message_is_unrecognized_even_in_replay(message: Any) -> None:
    with pytest.raises(UnrecognizedFrame):
        replaying(CoinbaseAdvanced).parse(message)


def test_heartbeats_are_wanted_first_and_are_no_data() -> None:
    wire = connection("trade")
    assert wire.adapter.opening() == ['{"type":"subscribe","channel":"heartbeats"}']
    event = {"current_time": "2026-04-07 14:30:10.000000000+00:00", "heartbeat_counter": 42}
    assert wire.parse(frame("heartbeats", 0, event)) == []
    assert wire.adapter.last_data_ns == {}


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    wire.parse(subscriptions(0, market_trades=[PRODUCT], heartbeats=None))
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trades(1))) == 1
    wire.take_notices()
    wire.parse(subscriptions(2))
    assert wire.take_notices() == [Acknowledged(("market_trades:BTC-USD",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trades(3))
    assert wire.adapter.last_data_ns == {}


def test_a_book_continues_when_its_topic_is_requested_again() -> None:
    wire = connection("book")
    wire.parse(snapshot(0))
    wire.adapter.subscribe(wire.topics)
    (event,) = wire.parse(book(1))
    assert isinstance(event, BookDelta)


def test_data_of_a_usdc_product_come_under_the_name_of_its_usd_product() -> None:
    wire = connection("trade", "book", products=["BTC-USDC"])
    assert wire.requests[0]["product_ids"] == ["BTC-USDC"]
    events = [*wire.parse(snapshot(0)), *wire.parse(trades(1))]
    assert [event.symbol for event in events] == ["BTC-USDC", "BTC-USDC"]
    assert set(wire.adapter.last_data_ns) == {"level2:BTC-USDC", "market_trades:BTC-USDC"}
    wire.parse(subscriptions(2, level2=["BTC-USD"], market_trades=["BTC-USDC"]))
    assert wire.take_notices() == [Acknowledged(("market_trades:BTC-USDC", "level2:BTC-USDC"))]


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel).parse(sample.frame)
        turned = dict(reversed(msgspec.json.decode(sample.frame).items()))
        assert connection(sample.channel).parse({"client_id": "", **turned}) == expected
        assert connection(sample.channel).parse(msgspec.json.format(sample.frame, indent=2)) == expected


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coinbase_advanced, "ADOPTED_MAX", 1)
    wire = replaying(CoinbaseAdvanced)
    wire.parse(trades(0))
    for message in (ticker(1), trades(2, trade(product_id="a b"))):
        with pytest.raises(UnrecognizedFrame):
            wire.parse(message)


EXPECTED = {
    "ws_candles": ["Bar"],
    "ws_heartbeats": [],
    "ws_l2_data_snapshot": ["BookSnapshot"],
    "ws_l2_data_update": ["Gap"],  # an update without its snapshot
    "ws_market_trades": ["Trade", "Trade"],
    "ws_subscriptions": [],
    "ws_ticker": ["Ticker"],
}


@needs_references
def test_single_frames_mean_what_the_documentation_says() -> None:
    for source, sample in single_frames("coinbase"):
        events = replaying(CoinbaseAdvanced).parse(sample)
        assert [type(event).__name__ for event in events] == EXPECTED[source], source


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    wire = connection("trade", "book", "ticker", products=[PRODUCT])
    made: list[str] = []
    sent = []
    for line in sheet_lines("### 5.1"):
        if msgspec.json.decode(line).get("type") == "subscribe":
            sent.append(msgspec.json.decode(line))
            continue
        made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == ["BookSnapshot", "BookDelta", "Gap", "Trade", "Ticker"], "its sequence leaps"
    assert wire.requests[1] == sent[0]
    assert [msgspec.json.decode(text) for text in wire.adapter.opening()] == sent[1:]


def test_mutated_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    adapter = CoinbaseAdvanced(adopt=True)
    samples = [*SAMPLES, SAMPLES[0]]
    frames = [sample.frame for sample in samples] + [msgspec.json.encode(book(1, ["bid", "1", "2"]))]
    for _ in range(3_000):
        damaged = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_one_list_has_all_products() -> None:
    assert CoinbaseAdvanced().instruments_path([PRODUCT]) == "/api/v3/brokerage/market/products"
    assert CoinbaseAdvanced().instrument("BTC-PERP-INTX") == "BTC-USDC-PERP"
    assert CoinbaseAdvanced().address("wss://proxy") == "wss://proxy"
