from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Topic
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from tests.workers.exchanges.gateio.samples import FUTURES_SNAPSHOT, SNAPSHOT, contract_trade, pair_trade


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("trade", "/api/v4/spot/trades?currency_pair=NEO_BTC&limit=1"),
        ("bar_1m", "/api/v4/spot/trades?currency_pair=NEO_BTC&limit=1"),
        ("quote", "/api/v4/spot/order_book?currency_pair=NEO_BTC&limit=1&with_id=true"),
        ("book5", "/api/v4/spot/order_book?currency_pair=NEO_BTC&limit=1&with_id=true"),
        ("ticker", None),
    ],
)
def test_requests(channel: str, path: str | None) -> None:
    request = Gateio().liveness_request(Topic(channel, "NEO_BTC", "x"))
    assert (None if request is None else request.path) == path


def test_tokens_differ_with_new_data() -> None:
    trade, book = Topic("trade", "X", "x"), Topic("book", "X", "x")
    assert Gateio().liveness_token(trade, f"[{pair_trade(7)}]".encode()) == '"7"'
    assert GateioFutures().liveness_token(trade, f"[{contract_trade(7)}]".encode()) == "7"
    assert Gateio().liveness_token(book, SNAPSHOT % 9) == "9"
    assert GateioFutures().liveness_token(book, FUTURES_SNAPSHOT.encode()) == "203083287"
    with pytest.raises(ValueError, match="no trade"):
        Gateio().liveness_token(trade, b"[]")
