from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.kraken.venue import KrakenVenue
from foxtrot_workers.simulator.venues.session import BadAddress
from tests.support.simulated_market import SimulatedMarket, ask


def test_version_2_has_an_address_of_its_own() -> None:
    venue = KrakenVenue()
    SimulatedMarket(venue)
    session = venue.session("/v2", "")
    (answer,) = ask(session, {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USDT"]}})
    assert answer["success"]
    with pytest.raises(BadAddress):
        venue.session("/", "")
