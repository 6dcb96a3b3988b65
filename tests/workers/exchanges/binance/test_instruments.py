from __future__ import annotations

from urllib.parse import unquote

import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceCoinm, BinanceUs, Sim


def test_the_instrument_list() -> None:
    body = (
        b'{"timezone":"UTC","symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"}]}'
    )
    assert Binance().instruments(body) == {"BTCUSDT": "BTC-USDT"}


def test_a_few_instruments_are_requested_by_name() -> None:
    adapter = Binance()
    assert (
        unquote(adapter.instruments_path(["BTCUSDT", "ethusdt"]))
        == '/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]'
    )
    assert adapter.instruments_path(["A"] * 101) == "/api/v3/exchangeInfo"
    assert adapter.instruments_path([]) == "/api/v3/exchangeInfo"


@pytest.mark.parametrize(
    ("adapter", "symbol", "instrument"),
    [
        (Binance(), "BTCUSDT", "BTC-USDT"),
        (Binance(), "BTCFDUSD", "BTC-FDUSD"),
        (Binance(), "ADAEUR", "ADA-EUR"),
        (Binance(), "XMRBTC", "XMR-BTC"),
        (Binance(), "USDT", "USDT"),
        (Binance(), "WHATEVER", "WHATEVER"),
        (BinanceUs(), "BATUSD", "BAT-USD"),
        (BinanceUs(), "OMGBUSD", "OMG-BUSD"),
        (Sim(), "BTCUSDT", "BTC-USDT"),
    ],
)
def test_instruments_are_guessed_from_symbols(adapter: Binance, symbol: str, instrument: str) -> None:
    assert adapter.instrument(symbol) == instrument


def test_a_list_says_status_and_sizes() -> None:
    rows = (
        '{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":['
        '{"filterType":"PRICE_FILTER","tickSize":"0.01000000"},{"filterType":"LOT_SIZE","stepSize":"0.00001000"},'
        '{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200}]},'
        '{"symbol":"OLDUSDT","status":"BREAK","baseAsset":"OLD","quoteAsset":"USDT"},'
        '{"symbol":"NEWUSDT","status":"PRE_TRADING","baseAsset":"NEW","quoteAsset":"USDT"}'
    )
    first, old, new = Binance().listed(f'{{"symbols":[{rows}]}}'.encode())
    assert first == Instrument(
        symbol="BTCUSDT", instrument="BTC-USDT", kind="spot", tick_size="0.01000000", lot_size="0.00001000"
    )
    assert [old.status, new.status] == ["halted", "announced"]


def test_a_list_of_contracts_says_when_they_end() -> None:
    rows = (
        '{"symbol":"BTCUSD_PERP","contractStatus":"TRADING","contractSize":100,"deliveryDate":4133404800000,'
        '"baseAsset":"BTC","quoteAsset":"USD"},'
        '{"symbol":"BTCUSD_210924","contractStatus":"DELIVERED","contractSize":100,"deliveryDate":1632470400000,'
        '"baseAsset":"BTC","quoteAsset":"USD","filters":[{"filterType":"LOT_SIZE","stepSize":"1"}]}'
    )
    perpetual, future = BinanceCoinm().listed(f'{{"symbols":[{rows}]}}'.encode())
    assert (perpetual.kind, perpetual.expiry_ns, perpetual.contract_size) == ("perpetual", 0, "100")
    assert future == Instrument(
        symbol="BTCUSD_210924",
        instrument="BTC-USD-21U24",
        kind="future",
        status="ended",
        lot_size="1",
        contract_size="100",
        expiry_ns=1_632_470_400_000_000_000,
    )
