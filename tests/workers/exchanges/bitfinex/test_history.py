from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex
from foxtrot_workers.exchanges.bitfinex.history import history_request, parse_history, trade_of
from tests.workers.exchanges.driven import Driven

PATH = "/v2/trades/tAVAX%3AUSD/hist?limit=5000"


def test_the_sign_of_the_amount_is_the_side() -> None:
    row = [669899160, 1618665870436, "-20.5", "0.076985"]
    sell = Trade("BITFINEX", "tBTCUSD", 1618665870436_000_000, 7, "0.076985", "20.5", "sell", "669899160")
    assert trade_of("BITFINEX", "tBTCUSD", 7, row) == sell
    assert trade_of("BITFINEX", "tBTCUSD", 7, [*row[:2], 3, row[3]]).side == "buy"


@pytest.mark.parametrize("row", [[], [1, 2, 3], ["1", 2, "3", "4"], [1, -2, "3", "4"], [1, 2, None, "4"], None])
def test_another_row_is_refused(row: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        trade_of("BITFINEX", "tBTCUSD", 7, row)


def test_past_trades_are_of_the_symbol_in_the_path() -> None:
    assert history_request("tAVAX:USD").path == PATH
    body = b"[[388063448,1567526214876,1.918524,10682],[388063447,1567526214875,-2E-7,10681.5]]"
    trades = parse_history("BITFINEX", PATH, body, 7)
    assert [(t.symbol, t.trade_id, t.size, t.side) for t in trades] == [
        ("tAVAX:USD", "388063448", "1.918524", "buy"),
        ("tAVAX:USD", "388063447", "2E-7", "sell"),
    ]


def test_a_refusal_is_no_page() -> None:
    with pytest.raises(ValueError, match="symbol: invalid"):
        parse_history("BITFINEX", PATH, b'["error",10020,"symbol: invalid"]', 7)
    with pytest.raises(msgspec.DecodeError):
        parse_history("BITFINEX", PATH, b"[" * 100_000, 7)


def test_only_trades_that_are_subscribed_have_a_past() -> None:
    adapter = Driven(Bitfinex, ["trade"], ["tBTCUSD"]).adapter
    assert adapter.backfill_request("tBTCUSD", EVENT_MARKET_TRADE, 1, 2) == history_request("tBTCUSD")
    assert adapter.backfill_request("tBTCUSD", EVENT_BBO, 1, 2) is None
    assert adapter.backfill_request("tETHUSD", EVENT_MARKET_TRADE, 1, 2) is None
