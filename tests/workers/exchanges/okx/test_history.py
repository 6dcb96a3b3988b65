from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    Trade,
)
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.okx.subscribed import INSTRUMENT, Subscribed
from tests.workers.exchanges.samples import (
    okx_answer,
    okx_past_trade,
)


def test_past_trades_are_requested_backwards_from_the_last_id() -> None:
    adapter = Subscribed("trade").adapter
    request = adapter.backfill_request(INSTRUMENT, EVENT_MARKET_TRADE, 5, 90)
    assert request is not None
    assert request.path == "/api/v5/market/history-trades?instId=BTC-USDT&type=1&after=91&limit=100"
    assert request.weight == 2
    assert adapter.backfill_request(INSTRUMENT, EVENT_BOOK, 5, 90) is None
    assert adapter.backfill_request("ETH-USDT", EVENT_MARKET_TRADE, 5, 90) is None
    assert Subscribed("book").adapter.backfill_request(INSTRUMENT, EVENT_MARKET_TRADE, 5, 90) is None


def test_past_trades_equal_those_of_the_stream() -> None:
    body = okx_answer([okx_past_trade(6), okx_past_trade(5, side="buy")])
    assert Okx().on_backfill("", body, 7) == [
        Trade("OKX", INSTRUMENT, 1654161646974_000_000, 7, "29963.2", "0.00001", side, number)
        for side, number in (("sell", "6"), ("buy", "5"))
    ]


def test_a_refused_page_of_past_trades_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="50011: Too Many Requests"):
        Okx().on_backfill("", okx_answer([], code="50011", msg="Too Many Requests"), 7)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[" * 100_000, b'{"code":"0","data":[{}]}', b'{"code":"0","data":7}']
)
def test_an_unreadable_page_of_past_trades_is_an_error(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError)):
        Okx().on_backfill("", body, 7)
