from __future__ import annotations

import gzip
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Trade,
)
from foxtrot_workers.exchanges.bitmex.adapter import Bitmex
from tests.support.sources import ROOT
from tests.workers.exchanges.bitmex.samples import (
    BIN,
    FUNDING,
    INSTRUMENT,
    LIQUIDATION,
    QUOTE,
    TEN_LEVELS,
    TRADE,
)
from tests.workers.exchanges.driven import RECEIVE_NS as NS
from tests.workers.exchanges.driven import Driven

X = "BITMEX"
RECORDINGS = ROOT.parent / "shared" / "data" / "bitmex"


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        (
            TRADE,
            [
                Trade(
                    X,
                    "UNIUSDT",
                    1626993370014_000000,
                    NS,
                    "17.297",
                    "52",
                    "buy",
                    "39744121-c20e-44ba-8cc8-a6b8cdf72885",
                )
            ],
        ),
        (QUOTE, [Quote(X, "UNIUSDT", 1626993370014_000000, NS, "17.277", "750", "17.297", "123", "")]),
        (
            INSTRUMENT,
            [
                MarkPrice(X, "XBTUSD", 1732536000000_000000, NS, "95125.7"),
                OpenInterest(X, "XBTUSD", 1732536000000_000000, NS, "123456789"),
            ],
        ),
        (FUNDING, [Funding(X, "XBTUSD", 1732507200000_000000, NS, "0.0001", 0)]),
        (LIQUIDATION, [Liquidation(X, "XBTUSD", 0, NS, "buy", "95000.0", "1000")]),
        (
            TEN_LEVELS,
            [
                BookSnapshot(
                    X,
                    "XBTUSD",
                    1732436353513_000000,
                    NS,
                    [("98490.3", "22400")],
                    [("98490.4", "17600")],
                    None,
                    None,
                    None,
                )
            ],
        ),
        (
            BIN,
            [
                Bar(
                    X,
                    "XBTUSD",
                    1732392420_000000000,
                    NS,
                    "1m",
                    1732392360_000000000,
                    "97550.0",
                    "97584.4",
                    "97550.0",
                    "97570.1",
                    "84000",
                    True,
                )
            ],
        ),
    ],
)
def test_each_message(frame: str, events: list[MarketEvent[str]]) -> None:
    assert Driven(Bitmex, adopt=True).parse(frame) == events


def test_the_first_frame_of_trades_has_an_old_one() -> None:
    wire = Driven(Bitmex, adopt=True)
    assert wire.parse(TRADE.replace("insert", "partial")) == []
    assert wire.adapter.last_data_ns == {"trade:UNIUSDT": NS}


def test_a_changed_liquidation_is_no_new_one() -> None:
    frame = '{"table":"liquidation","action":"update","data":[{"symbol":"XBTUSD","leavesQty":7}]}'
    assert Driven(Bitmex, adopt=True).parse(frame) == []


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside the checkout")
@pytest.mark.parametrize("name", ["2021-04-17", "2021-07-22"])
def test_recorded_quotes_have_the_sizes_of_their_own_row(name: str) -> None:
    """The answers beside the recordings repeat the sizes of a frame's first row for all its rows with equal prices."""
    adapter = Bitmex(adopt=True)
    answers: dict[int, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(RECORDINGS / f"{name}.expected.jsonl.gz") as lines:
        for answer in map(msgspec.json.decode, lines):
            if answer["kind"] == "ticker":
                answers[answer["frame"]].append(answer)
    differing = 0
    with gzip.open(RECORDINGS / f"{name}.jsonl.gz") as lines:
        for number, line in enumerate(map(msgspec.json.decode, lines)):
            if line["dir"] != "in" or number not in answers:
                continue
            rows = msgspec.json.decode(line["raw"])["data"]
            quotes: list[MarketEvent[str]] = []
            adapter.parse(line["raw"].encode(), NS, quotes)
            for quote, row, answer in zip(quotes, rows, answers[number], strict=True):
                assert isinstance(quote, Quote)
                assert Decimal(quote.bid or 0) == Decimal(answer["bid"])
                assert Decimal(quote.ask or 0) == Decimal(answer["ask"])
                assert (quote.bid_size, quote.ask_size) == (str(row["bidSize"]), str(row["askSize"]))
                if "bid_size" in answer:
                    prices = (row["symbol"], row["bidPrice"], row["askPrice"])
                    first = next(
                        each for each in rows if (each["symbol"], each["bidPrice"], each["askPrice"]) == prices
                    )
                    assert answer["bid_size"] == str(first["bidSize"])
                    assert answer["ask_size"] == str(first["askSize"])
                    differing += answer["bid_size"] != quote.bid_size or answer["ask_size"] != quote.ask_size
    assert differing == {"2021-04-17": 64, "2021-07-22": 272}[name]


SINGLE_ROWS = {
    "ws_funding_rate": ("funding", "insert"),
    "ws_instrument": ("instrument", "update"),
    "ws_instrument_index_update": ("instrument", "update"),
    "ws_instrument_mark_update": ("instrument", "update"),
    "ws_liquidation": ("liquidation", "insert"),
    "ws_orderbook_10": ("orderBook10", "update"),
    "ws_orderbook_l2": ("orderBookL2", "partial"),
    "ws_quote": ("quote", "insert"),
    "ws_trade": ("trade", "insert"),
    "ws_trade_bin_1m": ("tradeBin1m", "insert"),
}
"""Single samples beside the checkout are rows without their frame: the table and action that they belong to."""


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside the checkout")
def test_single_rows_parse_within_a_frame_of_their_table() -> None:
    with gzip.open(RECORDINGS / "single-frames.jsonl.gz") as lines:
        samples = list(map(msgspec.json.decode, lines))
    assert len(samples) == len(SINGLE_ROWS)
    for sample in samples:
        name = sample["src"].rpartition("/")[2].removesuffix(".json")
        table, action = SINGLE_ROWS[name]
        frame = f'{{"table":"{table}","action":"{action}","data":[{sample["raw"]}]}}'
        events = Driven(Bitmex, adopt=True).parse(frame)
        assert len(events) == {"ws_instrument": 2, "ws_instrument_index_update": 0}.get(name, 1), name
