from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import RestRequest, Topic
from foxtrot_workers.exchanges.dydx.liveness import liveness_request, liveness_token


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/v4/trades/perpetualMarket/BTC-USD?limit=1"),
        ("bar_1h", "/v4/trades/perpetualMarket/BTC-USD?limit=1"),
        ("book", "/v4/orderbooks/perpetualMarket/BTC-USD"),
        ("funding", "/v4/perpetualMarkets?ticker=BTC-USD"),
    ],
)
def test_each_channel_has_a_request(channel: str, path: str) -> None:
    assert liveness_request(Topic(channel, "BTC-USD", "w")) == RestRequest("liveness", path)


def test_new_data_change_the_token() -> None:
    def token(**answer: object) -> str:
        return liveness_token(msgspec.json.encode(answer))

    trades = [token(trades=[{"id": id_, "price": "1"}]) for id_ in ("a", "b", "a")]
    assert trades[0] == trades[2] != trades[1]
    sides = [token(bids=[{"price": "1", "size": size}], asks=[]) for size in ("1", "2", "1")]
    assert sides[0] == sides[2] != sides[1]
    markets = [token(markets={"BTC-USD": {"oraclePrice": price}}) for price in ("1", "2", "1")]
    assert markets[0] == markets[2] != markets[1]


def test_an_answer_that_cannot_be_read_is_no_token() -> None:
    with pytest.raises(msgspec.DecodeError):
        liveness_token(b"[")
