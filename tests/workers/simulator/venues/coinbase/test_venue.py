from __future__ import annotations

from foxtrot_workers.simulator.venues.coinbase.venue import CoinbaseVenue
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import Close
from tests.support.simulated_market import SimulatedMarket, ask


def test_products_of_the_market_can_be_subscribed_at_any_path() -> None:
    venue = CoinbaseVenue()
    SimulatedMarket(venue)
    session = venue.session("/", "")
    (answer,) = ask(session, {"type": "subscribe", "channels": ["matches"], "product_ids": ["BTC-USDT"]})
    assert answer["type"] == "subscriptions"


def test_the_time_to_subscribe_is_the_servers() -> None:
    venue = CoinbaseVenue()
    venue.limits_used = ExchangeLimits(idle_s=0.5)
    (close,) = venue.session("/", "").idle(0.6, 0.0, 0.0, 0)
    assert isinstance(close, Close)
    assert venue.session("/", "").idle(0.4, 0.0, 0.0, 0) == []
