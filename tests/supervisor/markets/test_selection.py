"""Entries of `symbols`: names, instruments, patterns, kinds, exclusions."""

from __future__ import annotations

import pytest

from foxtrot_protocol.instruments import Instrument, InstrumentKind, InstrumentStatus
from foxtrot_supervisor.markets.selection import PATTERN_CHARACTERS_MAX, Unmatched, entry_problem, is_pattern, select


def listed(
    symbol: str, instrument: str, kind: InstrumentKind = "spot", status: InstrumentStatus = "trading"
) -> Instrument:
    return Instrument(symbol=symbol, instrument=instrument, kind=kind, status=status)


LIST = [
    listed("BTCUSDT", "BTC-USDT"),
    listed("ETHUSDT", "ETH-USDT"),
    listed("ETHBTC", "ETH-BTC"),
    listed("BTCUPUSDT", "BTCUP-USDT"),
    listed("LUNAUSDT", "LUNA-USDT", status="halted"),
    listed("OLDUSDT", "OLD-USDT", status="ended"),
    listed("BTCUSDT_PERP", "BTC-USDT-PERP", "perpetual"),
    listed("ETHUSD_PERP", "ETH-USD-PERP", "perpetual"),
    listed("币安USDT", "币安-USDT"),
]


@pytest.mark.parametrize(
    ("entries", "symbols"),
    [
        (["BTCUSDT"], ["BTCUSDT"]),
        (["btcusdt", "BTC-USDT"], ["BTCUSDT"]),
        (["eth-btc"], ["ETHBTC"]),
        (["LUNAUSDT"], ["LUNAUSDT"]),
        (["*-USDT"], ["BTCUSDT", "ETHUSDT", "BTCUPUSDT", "币安USDT"]),
        (["*-USDT", "!*UP-USDT", "!币安*"], ["BTCUSDT", "ETHUSDT"]),
        (["!BTCUSDT", "*-usdt"], ["ETHUSDT", "BTCUPUSDT", "币安USDT"]),
        (["?THUSDT"], ["ETHUSDT"]),
        (["kind:perpetual"], ["BTCUSDT_PERP", "ETHUSD_PERP"]),
        (["kind:perpetual&BTC*"], ["BTCUSDT_PERP"]),
        (["*", "!kind:spot"], ["BTCUSDT_PERP", "ETHUSD_PERP"]),
        (["BTCUSDT", "!GONE"], ["BTCUSDT"]),
    ],
)
def test_entries_select(entries: list[str], symbols: list[str]) -> None:
    selection = select(entries, LIST, "upper")
    assert selection.symbols == symbols
    assert selection.unmatched == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("BTCUSTD", "is not listed (nearest: BTCUSDT, BTCUPUSDT, BTCUSDT_PERP)"),
        ("OLDUSDT", "has ended: the exchange lists it no longer"),
        ("ZZZ*", "matches no instrument that is traded"),
        ("LUNA*", "matches no instrument that is traded"),
        ("9", "is not listed"),
    ],
)
def test_an_entry_that_selects_nothing_is_named_with_the_reason(entry: str, reason: str) -> None:
    assert select([entry, "ETHBTC"], LIST, "upper").unmatched == [Unmatched(entry, reason)]
    assert select([entry, "ETHBTC"], LIST, "upper").symbols == ["ETHBTC"]


def test_an_instrument_of_several_symbols_must_be_named_by_its_symbol() -> None:
    twice = [listed("A", "BTC-USD-PERP", "perpetual"), listed("B", "BTC-USD-PERP", "perpetual")]
    selection = select(["BTC-USD-PERP"], twice, "exact")
    assert selection.unmatched == [Unmatched("BTC-USD-PERP", "is the instrument of several symbols: A, B")]


def test_case_counts_where_the_exchange_uses_both() -> None:
    both = [listed("aBC", "ABC-USD"), listed("kPEPE", "KPEPE-USD")]
    assert select(["aBC"], both, "exact").symbols == ["aBC"]
    assert select(["abc"], both, "exact").symbols == []
    assert select(["a*", "k*"], both, "exact").symbols == ["aBC", "kPEPE"]


def test_characters_of_expressions_mean_themselves() -> None:
    odd = [listed("A.B", "A.B-USD"), listed("AXB", "AXB-USD"), listed("[x]", "X-USD")]
    assert select(["A.B*"], odd, "exact").symbols == ["A.B"]
    assert select(["[*"], odd, "exact").symbols == ["[x]"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("*-USDT", ""),
        ("!kind:option&BTC*", ""),
        ("kind:swap", "names no kind of instrument: 'swap' (there are future, index, option, other, perpetual, spot)"),
        ("", "has an empty term"),
        ("!", "has an empty term"),
        ("a&&b", "has an empty term"),
        ("a&!b", "has '!' inside: it stands at the beginning of an entry only"),
        ("x" * (PATTERN_CHARACTERS_MAX + 1), f"is longer than {PATTERN_CHARACTERS_MAX} characters"),
    ],
)
def test_problems_of_entries(entry: str, problem: str) -> None:
    assert entry_problem(entry) == problem


def test_what_needs_the_instrument_list() -> None:
    assert [is_pattern(entry) for entry in ("BTC-USDT", "*", "a?", "!BTCUSDT", "kind:spot", "a&b")] == [
        False,
        True,
        True,
        True,
        True,
        True,
    ]
