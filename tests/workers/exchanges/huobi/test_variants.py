from __future__ import annotations

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Funding, Gap, Liquidation, MarkPrice, Quote, Ticker, Trade
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.huobi.samples import (
    STEP0,
    SWAP_BACKFILLS,
    SWAP_BOOK,
    SWAP_BOOK_UPDATE,
    SWAP_FUNDING,
    SWAP_LIQUIDATION,
    SWAP_MARK_PRICE,
    SWAP_QUOTE,
    SWAP_SAMPLES,
    SWAP_TICKER,
    SWAP_TRADE,
)


def test_it_conforms() -> None:
    check_adapter(HuobiSwap, SWAP_SAMPLES, backfills=SWAP_BACKFILLS)


@pytest.mark.parametrize(
    ("channel", "symbol", "path"),
    [
        ("trade", "BTC-USDT", "/linear-swap-ws"),
        ("trade", "btc-usd", "/swap-ws"),
        ("funding", "BTC-USDT", "/linear-swap-notification"),
        ("liquidation", "BTC-USD", "/swap-notification"),
        ("mark_price", "BTC-USDT", "/ws_index"),
    ],
)
def test_each_kind_has_its_path(channel: str, symbol: str, path: str) -> None:
    adapter = HuobiSwap()
    adapter.topics([channel], [symbol])
    assert adapter.address(adapter.url) == f"wss://api.hbdm.com{path}"


def test_what_is_served_apart_needs_connections_of_its_own() -> None:
    for channels, symbols in ((["trade"], ["BTC-USD", "BTC-USDT"]), (["trade", "funding"], ["BTC-USD"])):
        with pytest.raises(ValueError, match="different addresses"):
            HuobiSwap().topics(channels, symbols)


def test_a_trade_counts_contracts() -> None:
    time_ns = 1645289382216_000_000
    trade = Trade("HUOBI_SWAP", "ATOM-USD", time_ns, RECEIVE_NS, "26.5841", "6", "buy", "743774717120000")
    assert Driven(HuobiSwap, ["trade"], ["ATOM-USD"]).parse(SWAP_TRADE) == [trade]


def test_a_book_is_a_snapshot_and_consecutive_updates() -> None:
    wire = Driven(HuobiSwap, ["book"], ["BTC-USDT"])
    snapshot, update = wire.parse(SWAP_BOOK) + wire.parse(SWAP_BOOK_UPDATE)
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(update, BookDelta)
    assert (snapshot.last_id, update.first_id, update.last_id) == ("37536689", "37536689", "37536690")
    assert update.bids == [("43445.74", "1"), ("43444.48", "0")]
    [gap] = wire.parse(SWAP_BOOK_UPDATE.replace("37536690", "37536692"))
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    assert wire.adapter.resync(wire.topics) == wire.topics
    assert len(wire.parse(SWAP_BOOK)) == 1


def test_full_pictures_are_ordered_by_the_matching_engine() -> None:
    frame = STEP0.replace("trioeth", "BTC-USDT").replace('"version":100182534697', '"version":1645289384,"mrid":7')
    [book] = Driven(HuobiSwap, ["book150_step0"], ["BTC-USDT"]).parse(frame)
    assert isinstance(book, BookSnapshot)
    assert book.last_id == "7"


def test_a_quote_is_a_pair_of_levels() -> None:
    wire = Driven(HuobiSwap, ["quote"], ["BTC-USDT"])
    quote = Quote(
        "HUOBI_SWAP", "BTC-USDT", 1630454400495_000_000, RECEIVE_NS, "47176.5", "1", "47176.6", "9249", "64797873746"
    )
    assert wire.parse(SWAP_QUOTE) == [quote]
    [empty] = wire.parse(SWAP_QUOTE.replace("[47176.6,9249]", "null"))
    assert isinstance(empty, Quote)
    assert (empty.ask, empty.ask_size) == (None, None)


def test_funding_liquidations_and_mark_prices() -> None:
    funding = Funding("HUOBI_SWAP", "BTC-USDT", 1603778748167_000_000, RECEIVE_NS, "0.0001", 1603958400000_000_000)
    assert Driven(HuobiSwap, ["funding"], ["BTC-USDT"]).parse(SWAP_FUNDING) == [funding]
    liquidation = Liquidation("HUOBI_SWAP", "BTC-USDT", 1639122193172_000_000, RECEIVE_NS, "buy", "19674.96", "26")
    assert Driven(HuobiSwap, ["liquidation"], ["BTC-USDT"]).parse(SWAP_LIQUIDATION) == [liquidation]
    mark_price = MarkPrice("HUOBI_SWAP", "BTC-USDT", 1489474082831_000_000, RECEIVE_NS, "9801.55")
    assert Driven(HuobiSwap, ["mark_price"], ["BTC-USDT"]).parse(SWAP_MARK_PRICE) == [mark_price]


def test_a_ticker_counts_contracts() -> None:
    [ticker] = Driven(HuobiSwap, ["ticker"], ["BTC-USDT"]).parse(SWAP_TICKER)
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.volume, ticker.bid, ticker.ask_size) == ("12850.25", "127580", "12850.2", "4")
