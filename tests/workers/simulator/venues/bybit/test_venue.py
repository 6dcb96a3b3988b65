from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.bybit.venue import BybitVenue
from foxtrot_workers.simulator.venues.session import BadAddress
from tests.support.simulated_market import SimulatedMarket, ask


@pytest.mark.parametrize(("category", "works"), [("spot", True), ("linear", True), ("inverse", False)])
def test_the_address_names_the_category(category: str, works: bool) -> None:
    venue = BybitVenue()
    SimulatedMarket(venue)
    session = venue.session(f"/v5/public/{category}", "")
    (answer,) = ask(session, {"op": "subscribe", "args": ["publicTrade.BTCUSDT"]})
    assert answer["success"] is works


def test_other_addresses_are_refused() -> None:
    for path in ("/v5/public/option", "/v5/private", "/"):
        with pytest.raises(BadAddress):
            BybitVenue().session(path, "")
