from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.instruments import instrument_of, parse_instruments
from foxtrot_workers.exchanges.bybit.variants import BybitLinear


@pytest.mark.parametrize(
    ("symbol", "category", "instrument"),
    [
        ("BTCUSDT", "spot", "BTC-USDT"),
        ("USDCUSDT", "spot", "USDC-USDT"),
        ("BTCUSDT", "linear", "BTC-USDT-PERP"),
        ("10000NFTUSDT", "linear", "10000NFT-USDT-PERP"),
        ("BTCPERP", "linear", "BTC-USDC-PERP"),
        ("BTCUSDT-29MAR24", "linear", "BTC-USDT-24H29"),
        ("BTC-3JAN25", "linear", "BTC-USDC-25F03"),
        ("BTCUSD", "inverse", "BTC-USD-PERP"),
        ("BTCUSDH24", "inverse", "BTCUSDH24"),
        ("BTC-6JAN23-17500-C", "option", "BTC-17500-23F06-call"),
        ("BTC-27MAR26-150000-P-USDT", "option", "BTC-USDT-150000-26H27-put"),
        ("BTC-27XXX26-150000-P", "option", "BTC-27XXX26-150000-P"),
        ("BTC-27MAR26-150000-X", "option", "BTC-27MAR26-150000-X"),
        ("", "spot", ""),
        ("-", "linear", "-"),
    ],
)
def test_the_name_says_what_an_instrument_is(symbol: str, category: str, instrument: str) -> None:
    assert instrument_of(symbol, category) == instrument


def test_the_list_says_it_better() -> None:
    rows = [
        {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "contractType": "LinearPerpetual"},
        {"symbol": "BTCUSDH24", "baseCoin": "BTC", "quoteCoin": "USD", "contractType": "InverseFutures"},
        {"symbol": "ETHUSDT", "baseCoin": "ETH", "quoteCoin": "USDT"},
        {"symbol": "BTC-6JAN23-17500-C", "baseCoin": "BTC", "quoteCoin": "USD", "deliveryTime": "1672992000000"},
    ]
    rows[0]["deliveryTime"] = "0"
    rows[1]["deliveryTime"] = "1711699200000"
    body = msgspec.json.encode({"retCode": 0, "result": {"category": "linear", "list": rows, "nextPageCursor": ""}})
    assert parse_instruments(body) == {
        "BTCUSDT": "BTC-USDT-PERP",
        "BTCUSDH24": "BTC-USD-24H29",
        "ETHUSDT": "ETH-USDT",
        "BTC-6JAN23-17500-C": "BTC-17500-23F06-call",
    }


def test_a_list_that_is_not_whole_proves_nothing() -> None:
    row = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT"}
    body = msgspec.json.encode({"retCode": 0, "result": {"list": [row, row], "nextPageCursor": "x"}})
    with pytest.raises(msgspec.DecodeError, match="further pages"):
        parse_instruments(body)


@pytest.mark.parametrize("delivery", ["9" * 30, "-1", "x", "9" * 15])
def test_any_delivery_time_is_survived(delivery: str) -> None:
    row = {"symbol": "A", "baseCoin": "B", "quoteCoin": "C", "contractType": "x", "deliveryTime": delivery}
    assert parse_instruments(msgspec.json.encode({"result": {"list": [row]}})).keys() == {"A"}


def test_one_symbol_is_asked_for_by_name() -> None:
    assert Bybit().instruments_path(["BTCUSDT"]) == "/v5/market/instruments-info?category=spot&symbol=BTCUSDT"
    path = "/v5/market/instruments-info?category=linear&limit=1000"
    assert BybitLinear().instruments_path(["BTCUSDT", "ETHUSDT"]) == path


def test_the_pages_of_the_list_say_status_sizes_and_expiry() -> None:
    rows = [
        {
            "symbol": "BTCUSDT-26DEC25",
            "contractType": "LinearFutures",
            "status": "PreLaunch",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "deliveryTime": "1766736000000",
            "priceFilter": {"minPrice": "0.5", "tickSize": "0.50"},
            "lotSizeFilter": {"qtyStep": "0.001"},
        },
        {
            "symbol": "ETHBTC",
            "status": "Closed",
            "baseCoin": "ETH",
            "quoteCoin": "BTC",
            "priceFilter": {"tickSize": "0.000001"},
            "lotSizeFilter": {"basePrecision": "0.0001"},
        },
        {"symbol": "XUSDT", "contractType": "LinearPerpetual", "status": "New", "baseCoin": "X", "quoteCoin": "USDT"},
    ]
    adapter = Bybit()
    (path,) = adapter.list_paths()

    def page(cursor: str) -> bytes:
        return msgspec.json.encode({"retCode": 0, "result": {"list": rows, "nextPageCursor": cursor}})

    assert adapter.listed(page("")) == [
        Instrument(
            symbol="BTCUSDT-26DEC25",
            instrument="BTC-USDT-25Z26",
            kind="future",
            status="announced",
            tick_size="0.50",
            lot_size="0.001",
            expiry_ns=1_766_736_000_000_000_000,
        ),
        Instrument(
            symbol="ETHBTC",
            instrument="ETH-BTC",
            kind="spot",
            status="ended",
            tick_size="0.000001",
            lot_size="0.0001",
        ),
        Instrument(symbol="XUSDT", instrument="X-USDT-PERP", kind="perpetual", status="halted"),
    ]
    assert adapter.next_list_path(path, page("")) is None
    second = adapter.next_list_path(path, page("first%3DA&last"))
    assert second == f"{path}&cursor=first%253DA%26last"
    assert adapter.next_list_path(second, page("b")) == f"{path}&cursor=b"
