from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.coinbase import routes
from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.coinbase.samples import (
    BACKFILLS,
    PRODUCT,
    SAMPLES,
    connection,
    subscriptions,
    trade,
)
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.references import needs_references, recorded_frames, sheet_lines


def test_it_conforms() -> None:
    check_adapter(Coinbase, SAMPLES, backfills=BACKFILLS)


def test_products_are_upper_case_however_they_are_configured() -> None:
    assert Coinbase().topics(["book"], ["btc-usd", "BTC-USD"]) == [Topic("book", PRODUCT, "level2_batch:BTC-USD")]


@pytest.mark.parametrize("symbol", ["", "A:B", "A/B", "-", "A" * 65])
def test_impossible_products_are_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="cannot be a product"):
        Coinbase().topics(["trade"], [symbol])


@pytest.mark.parametrize(
    "message", [{}, {"type": "status"}, {"type": "received", "product_id": PRODUCT}, {"channel": "x"}]
)
def test_an_unknown_message_is_unrecognized(message: Any) -> None:
    for wire in (connection("trade"), replaying(Coinbase)):
        with pytest.raises(UnrecognizedFrame):
            wire.parse(message)


def test_heartbeats_are_no_data() -> None:
    wire = connection("trade")
    assert wire.parse({"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": PRODUCT}) == []
    assert wire.adapter.last_data_ns == {}
    assert wire.take_notices() == []


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    wire.parse(subscriptions(matches=[PRODUCT]))
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade())) == 1
    wire.take_notices()
    wire.parse(subscriptions())
    assert wire.take_notices() == [Acknowledged(("matches:BTC-USD",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade())
    assert wire.adapter.last_data_ns == {}


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel).parse(sample.frame)
        turned = msgspec.json.encode(dict(reversed(msgspec.json.decode(sample.frame).items())))
        for frame in (turned, msgspec.json.format(sample.frame, indent=2)):
            assert connection(sample.channel).parse(frame) == expected


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "ADOPTED_MAX", 2)
    wire = replaying(Coinbase)
    for product in ("A-B", "C-D"):
        wire.parse(trade(product_id=product))
    for product in ("E-F", "a b"):
        with pytest.raises(UnrecognizedFrame):
            wire.parse(trade(product_id=product))


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    wire = connection("trade", "book", "ticker")
    made: list[str] = []
    sent = []
    for line in sheet_lines("### 5.2"):
        message = msgspec.json.decode(line)
        if message["type"] == "subscribe":
            sent.append(message)
            continue
        made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == ["BookSnapshot", "BookDelta", "Trade"]
    (request,) = connection("book", products=["ETH-USD"]).requests
    assert request["type"] == sent[0]["type"]
    assert request["product_ids"] == sent[0]["product_ids"]
    assert request["channels"] == sent[0]["channels"][:2]


@needs_references
def test_mutated_recorded_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    frames = list(recorded_frames("coinbase"))
    adapter = Coinbase(adopt=True)
    for _ in range(2_000):
        damaged = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_one_list_has_all_products() -> None:
    assert Coinbase().instruments_path([PRODUCT]) == "/products"
    assert Coinbase().address("wss://proxy") == "wss://proxy"
