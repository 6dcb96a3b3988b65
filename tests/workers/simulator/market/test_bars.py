"""Candles: their bounds, their fold, their pace."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from foxtrot_workers.simulator.market.bars import INTERVALS, Bars, interval_bounds

_NOW_MS = int(datetime(2024, 2, 29, 13, 47, 3, 500_000, UTC).timestamp() * 1000)


def _ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc, arg-type]  # parts of a date


@pytest.mark.parametrize(
    ("interval", "start", "following"),
    [
        ("1s", (2024, 2, 29, 13, 47, 3), (2024, 2, 29, 13, 47, 4)),
        ("1m", (2024, 2, 29, 13, 47), (2024, 2, 29, 13, 48)),
        ("15m", (2024, 2, 29, 13, 45), (2024, 2, 29, 14, 0)),
        ("8h", (2024, 2, 29, 8), (2024, 2, 29, 16)),
        ("1d", (2024, 2, 29), (2024, 3, 1)),
        ("1w", (2024, 2, 26), (2024, 3, 4)),
        ("1M", (2024, 2, 1), (2024, 3, 1)),
    ],
)
def test_bounds(interval: str, start: tuple[int, ...], following: tuple[int, ...]) -> None:
    assert interval_bounds(interval, _NOW_MS) == (_ms(*start), _ms(*following) - 1)


def test_december_ends_the_year() -> None:
    assert interval_bounds("1M", _ms(2023, 12, 31, 23)) == (_ms(2023, 12, 1), _ms(2024, 1, 1) - 1)


def test_a_trade_reaches_every_interval_at_the_end_of_its_second() -> None:
    bars = Bars(_NOW_MS, 100)
    bars.trade(5, 110, 2, buyer_is_maker=True)
    bars.trade(6, 90, 3, buyer_is_maker=False)
    bars.trade(7, 95, 1, buyer_is_maker=False)
    found = {interval: (bar, closed) for interval, bar, closed in bars.end_second(_ms(2024, 2, 29, 13, 47, 4))}
    assert set(found) == set(INTERVALS)
    for interval, (bar, closed) in found.items():
        assert closed == (interval == "1s")
        assert (bar.open, bar.high, bar.low, bar.close) == (110, 110, 90, 95), interval
        assert (bar.lots, bar.taker_lots, bar.count, bar.first_id, bar.last_id) == (6, 4, 3, 5, 7)
        assert bar.turnover == 110 * 2 + 90 * 3 + 95
        assert bar.taker_turnover == 90 * 3 + 95


def test_running_bars_are_published_every_other_second_if_changed() -> None:
    bars = Bars(_NOW_MS, 100)
    even = _ms(2024, 2, 29, 13, 47, 4)
    assert [interval for interval, _, _ in bars.end_second(even)] == ["1s"]
    bars.trade(1, 101, 1, buyer_is_maker=True)
    assert [interval for interval, _, _ in bars.end_second(even + 1000)] == ["1s"]
    assert len(bars.end_second(even + 2000)) == len(INTERVALS)
    assert [interval for interval, _, _ in bars.end_second(even + 4000)] == ["1s"]


def test_a_minute_without_trades_closes_at_the_last_price() -> None:
    bars = Bars(_ms(2024, 2, 29, 13, 47), 100)
    bars.trade(1, 120, 1, buyer_is_maker=True)
    bars.end_second(_ms(2024, 2, 29, 13, 48))
    bars.end_second(_ms(2024, 2, 29, 13, 48, 1))
    closed = {i: bar for i, bar, ended in bars.end_second(_ms(2024, 2, 29, 13, 49)) if ended}
    minute = closed["1m"]
    assert (minute.open, minute.high, minute.low, minute.close, minute.count) == (120, 120, 120, 120, 0)
    assert minute.start_ms == _ms(2024, 2, 29, 13, 48)


def test_the_day_aggregates_the_last_24_hours_only() -> None:
    start = _ms(2024, 2, 29)
    bars = Bars(start, 100)
    bars.trade(1, 500, 7, buyer_is_maker=True)
    bars.end_second(start + 60_000)
    bars.trade(2, 90, 1, buyer_is_maker=True)
    bars.end_second(start + 120_000)
    bars.trade(3, 95, 1, buyer_is_maker=True)
    day = bars.day(start + 120_500)
    assert (day.open, day.high, day.low, day.close, day.lots, day.count) == (500, 500, 90, 95, 9, 3)
    later = bars.day(start + 24 * 3600 * 1000 + 30_000)
    assert (later.open, later.high, later.lots, later.first_id) == (90, 95, 2, 2)
