"""Bars from trades: boundaries, lateness, the exchange's own bars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.events import Bar, Trade
from foxtrot_supervisor.engine.folds import bars as bar_fold
from foxtrot_supervisor.engine.folds.bars import GRACE_NS, BarFold

S = 1_000_000_000
MINUTE = 60 * S
START = 28_000_000 * MINUTE


def trade(at_s: float, price: Any = 100.0, size: Any = 1.0, symbol: str = "BTCUSDT", **more: Any) -> Trade[Any]:
    at_ns = START + int(at_s * S)
    fields = {"exchange_ns": at_ns, "receive_ns": at_ns + 5, "publish_ns": at_ns + 7, **more}
    return Trade(
        "SIM", symbol, fields["exchange_ns"], fields["receive_ns"], price, size, "buy", "1", fields["publish_ns"]
    )


def fed(*trades: Trade[Any], intervals: tuple[str, ...] = ("1m",)) -> tuple[BarFold, list[Bar[Any]]]:
    fold = BarFold(list(intervals))
    return fold, [bar for each in trades for bar in fold.trade(each)]


def test_a_bar_is_closed_by_the_first_trade_of_a_later_bar() -> None:
    fold, bars = fed(
        trade(-1), trade(0, 101.0, 2.0), trade(10, 99.0), trade(59.9, 100.5, 0.5), trade(60, 103.0), trade(61, 1.0)
    )
    assert bars == [
        Bar(
            "SIM",
            "BTCUSDT",
            START + 59_900_000_000,
            START + 59_900_000_005,
            "1m",
            START,
            101.0,
            101.0,
            99.0,
            100.5,
            3.5,
            True,
            START + 59_900_000_007,
        ),
    ]
    assert fold.bars_total == 1


def test_the_first_bar_is_not_emitted() -> None:
    fold, bars = fed(trade(30), trade(50))
    assert bars == []
    assert fold.look(START + 200 * S) == []
    assert fold.trade(trade(61)) == []  # closes nothing that could be shown
    (running,) = fold.look(START + 62 * S)
    assert (running.start_ns, running.closed) == (START + MINUTE, False)


def test_the_clock_closes_a_bar_after_a_grace_period_and_later_trades_are_late() -> None:
    fold, _ = fed(trade(-1), trade(1, 5.0), trade(2, 7.0))
    end_ns = START + MINUTE
    (running,) = fold.look(end_ns + GRACE_NS - 1)
    assert not running.closed
    assert fold.look(end_ns + GRACE_NS - 1) == []  # nothing new
    (closed,) = fold.look(end_ns + GRACE_NS)
    assert (closed.open, closed.close, closed.closed) == (5.0, 7.0, True)
    assert fold.look(end_ns + 10 * GRACE_NS) == []
    assert fold.trade(trade(59.999)) == []
    assert fold.late_total == 1
    assert fold.trade(trade(61, 9.0)) == []
    (next_bar,) = fold.look(end_ns + 2 * MINUTE)
    assert (next_bar.start_ns, next_bar.open, next_bar.volume) == (end_ns, 9.0, 1.0)


def test_a_trade_within_the_grace_period_counts() -> None:
    fold, _ = fed(trade(-1), trade(1, 5.0))
    fold.look(START + MINUTE + GRACE_NS - 1)
    fold.trade(trade(59, 8.0))
    (closed,) = fold.look(START + MINUTE + GRACE_NS)
    assert (closed.high, closed.volume) == (8.0, 2.0)


def test_backfilled_trades_are_added_to_their_bar() -> None:
    fold, _ = fed(trade(-1), trade(10, 5.0), trade(20, 6.0), trade(5, 4.0), trade(15, 9.0))
    (bar,) = fold.look(START + 30 * S)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (4.0, 9.0, 4.0, 6.0, 4.0)


def test_a_minute_without_trades_has_no_bar() -> None:
    _, bars = fed(trade(-1), trade(1), trade(200), trade(300))
    assert [bar.start_ns for bar in bars] == [START, START + 3 * MINUTE]


def test_intervals_and_symbols_are_independent() -> None:
    fold, bars = fed(
        trade(-1), trade(-1, symbol="ETH"), trade(0), trade(0, symbol="ETH"), trade(61), intervals=("1s", "1m")
    )
    assert [(bar.symbol, bar.interval, bar.start_ns) for bar in bars] == [
        ("BTCUSDT", "1s", START),
        ("BTCUSDT", "1m", START),
    ]
    assert len(fold) == 2
    fold.keep_only({("SIM", "ETH")})
    assert len(fold) == 1
    assert [bar.symbol for bar in fold.look(START + 200 * S)] == ["ETH", "ETH"]


def test_no_bars_are_made_where_the_exchange_sends_its_own() -> None:
    own = Bar("SIM", "BTCUSDT", 0, 1, "1m", START, 1.0, 1.0, 1.0, 1.0, 1.0, False)
    fold, _ = fed(trade(-1), trade(1), intervals=("1m", "3m"))
    fold.exchange_bar(own)
    fold.trade(trade(61))
    assert [bar.interval for bar in fold.look(START + 400 * S)] == []  # the first of 3m is not whole
    fold.trade(trade(400))
    fold.trade(trade(800))
    assert fold.late_total == 0
    fold, _ = fed()
    fold.exchange_bar(own)  # before any trade
    assert fed(trade(-1), trade(1))[1] == []
    for each in (trade(-1), trade(1), trade(61)):
        assert fold.trade(each) == []


@pytest.mark.parametrize(("make", "kind"), [(str, str), (Decimal, Decimal)])
def test_bars_have_the_number_type_of_their_trades(make: Any, kind: type) -> None:
    fold, _ = fed(
        trade(-1, make("1"), make("1")), trade(1, make("0.10"), make("0.1")), trade(2, make("0.3"), make("0.2"))
    )
    (bar,) = fold.look(START + 400 * S)
    assert (bar.open, bar.high, bar.volume) == (make("0.10"), make("0.3"), make("0.3"))
    assert isinstance(bar.volume, kind)


@pytest.mark.parametrize(
    "bad",
    [
        trade(1, float("nan")),
        trade(1, 1.0, float("nan")),
        trade(1, "abc", "1"),
        trade(1, "1", "NaN"),
        trade(1, "sNaN", "1"),
        trade(1, float("inf")),
        trade(1, exchange_ns=START + 100 * MINUTE, receive_ns=START),
    ],
)
def test_an_invalid_trade_changes_nothing(bad: Trade[Any]) -> None:
    fold, _ = fed(trade(-1), trade(1))
    fold.trade(bad)
    (bar,) = fold.look(START + 30 * S)
    assert (fold.malformed_total, bar.volume) == (1, 1.0)


def test_without_an_exchange_time_the_receipt_is_used() -> None:
    fold, _ = fed(trade(-1), trade(1, exchange_ns=0, receive_ns=START + 5 * S))
    (bar,) = fold.look(START + 30 * S)
    assert (bar.start_ns, bar.exchange_ns) == (START, START + 5 * S)


def test_instruments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_fold, "INSTRUMENTS_MAX", 1)
    fold, _ = fed(trade(0), trade(0, symbol="ETH"), trade(0, symbol="XRP"))
    assert (len(fold), fold.refused_total) == (1, 2)


def test_an_unknown_interval_is_refused() -> None:
    with pytest.raises(KeyError):
        BarFold(["7m"])


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 9), st.integers(1, 9)), max_size=80))
def test_bars_are_what_sorting_all_trades_gives(rows: list[tuple[int, int, int]]) -> None:
    """Every trade of a complete bar is in it once, in order."""
    rows = sorted(rows, key=lambda row: row[0])
    fold, bars = fed(trade(-1), *(trade(at, float(price), float(size)) for at, price, size in rows))
    bars += fold.look(START + 10_000 * S)
    by_start: dict[int, list[tuple[int, int, int]]] = {}
    for row in rows:
        by_start.setdefault(START + row[0] // 60 * MINUTE, []).append(row)
    assert [(bar.start_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.closed) for bar in bars] == [
        (start, p[0], max(p), min(p), p[-1], sum(size for *_, size in held), True)
        for start, held in sorted(by_start.items())
        for p in [[price for _, price, _ in held]]
    ]
