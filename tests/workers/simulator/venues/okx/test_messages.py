from __future__ import annotations

import json

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.instruments import make_instrument
from foxtrot_workers.simulator.venues.okx import messages

COIN = make_instrument("BTCUSDT", 1)  # two decimals of price, five of size


def test_numbers_have_no_zeros_at_the_end() -> None:
    assert messages.name_of(COIN) == "BTC-USDT"
    assert json.loads(messages.levels(COIN, [(847_700, 700_000), (847_698, 0)])) == [
        ["8477", "7", "0", "1"],
        ["8476.98", "0", "0", "0"],
    ]


def test_a_frame_names_what_was_subscribed() -> None:
    row = messages.trade(COIN, 5, 9, 847_698, 12, 3, taker_buys=True)
    assert json.loads(messages.frame("trades", "BTC-USDT", row)) == {
        "arg": {"channel": "trades", "instId": "BTC-USDT"},
        "data": [
            {
                "instId": "BTC-USDT",
                "tradeId": "9",
                "px": "8476.98",
                "sz": "0.00012",
                "side": "buy",
                "ts": "5",
                "count": "3",
            }
        ],
    }
    assert json.loads(messages.frame("books", "BTC-USDT", "{}", "update"))["action"] == "update"
    assert "count" not in messages.trade(COIN, 5, 9, 847_698, 12, None, taker_buys=False)


def test_updates_are_chained_and_have_no_checksum_any_more() -> None:
    row = json.loads(messages.book_update(COIN, 5, [(1, 2)], [], 7, 8))
    assert (row["prevSeqId"], row["seqId"], row["checksum"]) == (7, 8, 0)


def test_a_candle_says_whether_it_is_closed() -> None:
    bar = Bar(60_000, 119_999, 100)
    bar.trade(1, 120, 1_000, buyer_is_maker=True)
    rows = [json.loads(messages.candle(COIN, bar, closed=closed)) for closed in (False, True)]
    assert rows[0] == ["60000", "1.2", "1.2", "1.2", "1.2", "0.01", "0.012", "0.012", "0"]
    assert rows[1][-1] == "1"
