from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.kucoin.instruments import contract_of, is_possible_symbol, parse_instruments


def test_spot_symbols_are_named_by_their_currencies() -> None:
    body = b'{"code":"200000","data":[{"symbol":"BCHSV-USDT","baseCurrency":"BSV","quoteCurrency":"USDT"}]}'
    assert parse_instruments(body) == {"BCHSV-USDT": "BSV-USDT"}


def test_contracts_are_perpetual_or_have_a_date() -> None:
    row = '{"symbol":"%s","baseCurrency":"XBT","quoteCurrency":"USD","multiplier":-1.0,"expireDate":%s}'
    rows = f"{row % ('XBTUSDM', 'null')},{row % ('XBTMU24', '1727424000000')},{row % ('X', '9223372036854')}"
    body = b'{"code":"200000","data":[%b]}' % rows.encode()
    assert parse_instruments(body) == {"XBTUSDM": "BTC-USD-PERP", "XBTMU24": "BTC-USD-24U27", "X": "BTC-USD-62J11"}
    late = b'{"code":"200000","data":[%b]}' % (row % ("Y", "9223372036853775")).encode()
    with pytest.raises(msgspec.ValidationError):
        parse_instruments(late)


@pytest.mark.parametrize("body", [b"{}", b'{"code":"400100","msg":"no"}', b"[]", b'{"code":"200000","data":[{}]}'])
def test_anything_else_is_no_list(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_instruments(body)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("XBTUSDTM", "BTC-USDT-PERP"), ("ETHUSDCM", "ETH-USDC-PERP"), ("XBTUSDM", "BTC-USD-PERP"), ("XBTMU24", "XBTMU24")],
)
def test_a_perpetual_contract_says_its_currencies(symbol: str, name: str) -> None:
    assert contract_of(symbol) == name


@pytest.mark.parametrize("symbol", ["", "A,B", "A:B", "a b", "x" * 65, '"', "A/B", "\x00"])
def test_what_would_break_a_topic_is_no_symbol(symbol: str) -> None:
    assert not is_possible_symbol(symbol)
