"""What OKX refuses, by address and channel."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.okx.venue import OkxVenue
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.simulator.venues.session import BadAddress, Close
from tests.support.simulated_market import SimulatedMarket, ask


def subscription(channel: str, name: str = "BTC-USDT") -> dict[str, object]:
    return {"op": "subscribe", "args": [{"channel": channel, "instId": name}]}


@pytest.mark.parametrize(
    ("path", "channel", "name", "code"),
    [
        ("/ws/v5/public", "trades", "BTC-USDT", None),
        ("/ws/v5/public", "books", "BTC-USDT", None),
        ("/ws/v5/public", "candle1m", "BTC-USDT", "60018"),
        ("/ws/v5/business", "candle1m", "BTC-USDT", None),
        ("/ws/v5/business", "trades-all", "BTC-USDT", None),
        ("/ws/v5/business", "trades", "BTC-USDT", "60018"),
        ("/ws/v5/public", "ticker", "BTC-USDT", "60018"),
        ("/ws/v5/public", "trades", "NO-USDT", "60018"),
        ("/ws/v5/public", "books-l2-tbt", "BTC-USDT", "60011"),
    ],
)
def test_each_address_has_its_channels(path: str, channel: str, name: str, code: str | None) -> None:
    venue = OkxVenue()
    SimulatedMarket(venue)
    session = venue.session(path, "")
    (answer,) = ask(session, subscription(channel, name))
    assert answer["event"] == ("subscribe" if code is None else "error")
    assert answer.get("code") == code
    assert len(session.topics) == (code is None)


def test_an_unknown_address_is_refused() -> None:
    with pytest.raises(BadAddress):
        OkxVenue().session("/ws/v5/private", "")


def test_requests_beyond_the_hourly_number_are_refused() -> None:
    venue = OkxVenue()
    SimulatedMarket(venue)
    venue.limits_used = ExchangeLimits(requests_per_hour=2)
    session = venue.session("/ws/v5/public", "")
    answers = [ask(session, subscription("trades"), now_ns=number)[0] for number in range(3)]
    assert [answer.get("code") for answer in answers] == [None, None, "60014"]


def test_a_connection_on_which_nothing_moves_is_closed() -> None:
    session = OkxVenue().session("/ws/v5/public", "")
    assert session.idle(100.0, 29.0, 50.0, 0) == []
    assert session.idle(100.0, 50.0, 29.0, 0) == []
    (close,) = session.idle(100.0, 31.0, 31.0, 0)
    assert isinstance(close, Close)
