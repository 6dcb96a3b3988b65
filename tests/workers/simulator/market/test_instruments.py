"""Instruments are a function of symbol and seed; numbers are written as the exchange writes them."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.market.instruments import decimal_text, fixed_text, make_instrument, split_symbol


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0.00000000"),
        (1, "0.00000001"),
        (123_456_789, "1.23456789"),
        (6_000_000_000_000, "60000.00000000"),
        (-150_000_000, "-1.50000000"),
    ],
)
def test_decimal_text(units: int, text: str) -> None:
    assert decimal_text(units) == text


@pytest.mark.parametrize(
    ("units", "decimals", "text"), [(5, 0, "5"), (0, 2, "0.00"), (1234, 2, "12.34"), (7, 3, "0.007")]
)
def test_text_with_a_fixed_number_of_decimals(units: int, decimals: int, text: str) -> None:
    assert fixed_text(units, decimals) == text


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("ETHBTC", ("ETH", "BTC")),
        ("USDTXYZ", ("USDT", "XYZ")),
        ("USD", ("USD", "USDT")),
        ("SOLFDUSD", ("SOL", "FDUSD")),
    ],
)
def test_split(symbol: str, parts: tuple[str, str]) -> None:
    assert split_symbol(symbol) == parts


def test_the_same_seed_gives_the_same_instrument() -> None:
    assert make_instrument("btcusdt", 7) == make_instrument("BTCUSDT", 7)
    assert make_instrument("BTCUSDT", 7) != make_instrument("BTCUSDT", 8)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT", "NEWBTC", "A", "X1USDT"])
@pytest.mark.parametrize("seed", range(10))
def test_prices_have_room_and_fit_eight_decimals(symbol: str, seed: int) -> None:
    instrument = make_instrument(symbol, seed)
    assert instrument.start_ticks >= 10_000 * 0.9
    assert 2 <= instrument.price_decimals <= 8
    assert instrument.price_scale * 10**instrument.price_decimals == 10**8
    assert instrument.size_scale * 10**instrument.size_decimals == 10**8
    assert instrument.lots_typical >= 1


def test_symbols_have_letters_of_any_script() -> None:
    instrument = make_instrument("币安人生usdt", 1)
    assert (instrument.symbol, instrument.base, instrument.quote) == ("币安人生USDT", "币安人生", "USDT")


@pytest.mark.parametrize("symbol", ["", "BTC-USDT", "Ä.Ö", "币" * 33, "A B"])
def test_impossible_symbols_are_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="not a symbol"):
        make_instrument(symbol, 1)
