from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import RestRequest
from foxtrot_workers.exchanges.kraken.history import History
from tests.workers.exchanges.kraken.samples import PAIR, connection, past_trades

START_NS = 1_700_000_010_000_000_000


def _path(since_ns: int) -> str:
    return f"/0/public/Trades?pair=BTC%2FUSD&since={since_ns}&count=1000"


def test_the_first_page_starts_a_little_before_the_gap() -> None:
    adapter = connection("trade").adapter
    request = adapter.backfill_page(PAIR, EVENT_MARKET_TRADE, 5, 9, START_NS, START_NS + 1)
    assert request == RestRequest("trades BTC/USD", _path(1_700_000_005_000_000_000))
    assert adapter.backfill_page(PAIR, EVENT_BOOK, 5, 9, START_NS, START_NS) is None
    assert adapter.backfill_page("ETH/USD", EVENT_MARKET_TRADE, 5, 9, START_NS, START_NS) is None


def test_the_next_page_starts_at_the_last_trade_of_the_page_before() -> None:
    history = History("KRAKEN")
    history.parse(_path(0), past_trades(3, 12), 7)
    assert history.request(PAIR, 13, START_NS).path == _path(1_688_669_609_827_736_899)
    assert history.request(PAIR, 14, START_NS).path == _path(1_700_000_005_000_000_000), "a later gap"
    assert history.request(PAIR, 14, 0).path == _path(1_688_669_609_827_736_899), "the page did not reach the gap"
    assert history.request(PAIR, 2, 0).path == _path(0), "an earlier gap"


def test_trades_of_an_answer() -> None:
    trades = History("KRAKEN").parse(_path(0), past_trades(3, 4), 7)
    assert trades[0] == Trade("KRAKEN", PAIR, 1_688_669_600_827_736_900, 7, "105944.20000", "0.34507674", "buy", "3")
    assert [trade.trade_id for trade in trades] == ["3", "4"]


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(ValueError, match="Rate limit"):
        History("KRAKEN").parse(_path(0), b'{"error":["EAPI:Rate limit exceeded"]}', 7)
    assert History("KRAKEN").parse(_path(0), b'{"error":[],"result":{"XXBTZUSD":[],"last":"0"}}', 7) == []
