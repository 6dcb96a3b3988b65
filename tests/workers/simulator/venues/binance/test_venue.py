from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.binance.venue import BinanceVenue
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import BadAddress
from tests.support.simulated_market import ask


def test_sessions_keep_the_limits_of_the_server() -> None:
    venue = BinanceVenue()
    venue.limits_used = ExchangeLimits(streams_max=1, nested_errors=True)
    session = venue.session("/stream", "")
    (answer,) = ask(session, {"method": "SUBSCRIBE", "params": ["a@trade", "b@trade"], "id": 7})
    assert (answer["error"]["code"], answer["id"]) == (2, 7)
    with pytest.raises(BadAddress):
        venue.session("/elsewhere", "")
