"""Binance's own streams; the market as a whole: market/test_market.py."""

from __future__ import annotations

from foxtrot_workers.simulator.venues.binance.venue import BinanceVenue
from tests.support.simulated_market import SimulatedMarket, json_of


def test_partial_books_are_published_when_they_change() -> None:
    one = SimulatedMarket(BinanceVenue())
    one.subscribe("btcusdt@depth5@100ms")
    found = [json_of(message) for message in one.drive(500)]
    assert len(found) > 20
    assert all(len(each["bids"]) == len(each["asks"]) == 5 for each in found)
    ids = [each["lastUpdateId"] for each in found]
    assert ids == sorted(set(ids))


def test_an_aggregate_names_its_trades() -> None:
    one = SimulatedMarket(BinanceVenue())
    one.subscribe("btcusdt@trade", "btcusdt@aggTrade")
    seen: list[int] = []
    for message in one.drive(500):
        each = json_of(message)
        if each["e"] == "trade":
            seen.append(each["t"])
        else:
            assert seen[-(each["l"] - each["f"] + 1) :] == list(range(each["f"], each["l"] + 1))
    assert len(seen) > 50
