"""The shortest time from an exchange's time of an event to its receipt."""

from __future__ import annotations

from foxtrot_protocol.events import Bar, Trade
from foxtrot_supervisor.telemetry.clock_lag import WINDOW_S, ClockLag

MS = 1_000_000


def trade(exchange_ns: int, receive_ns: int) -> Trade[str]:
    return Trade("X", "S", exchange_ns, receive_ns, trade_id="1", price="1", size="1", side="buy")


def test_the_minimum_of_the_last_minutes() -> None:
    lag = ClockLag()
    lag.rotate(0.0)
    assert lag.lowest_ms() is None
    lag.record(trade(100 * MS, 130 * MS))
    lag.record(trade(200 * MS, 220 * MS))
    lag.record(trade(300 * MS, 350 * MS))
    assert lag.lowest_ms() == 20.0
    lag.rotate(WINDOW_S)
    lag.record(trade(100 * MS, 140 * MS))
    assert lag.lowest_ms() == 20.0
    lag.rotate(2 * WINDOW_S)
    assert lag.lowest_ms() == 40.0
    lag.rotate(3 * WINDOW_S)
    assert lag.lowest_ms() is None


def test_a_clock_that_is_behind_has_a_negative_lag() -> None:
    lag = ClockLag()
    lag.record(trade(2000 * MS, 5 * MS))
    assert lag.lowest_ms() == -1995.0


def test_a_span_lasts_some_minutes() -> None:
    lag = ClockLag()
    lag.rotate(0.0)
    lag.record(trade(100 * MS, 130 * MS))
    for now in (1.0, WINDOW_S / 2, WINDOW_S - 1):
        lag.rotate(now)
    assert lag.lowest_ns == 30 * MS, "no new span has begun"


def test_events_with_the_time_of_an_interval_are_left_out() -> None:
    lag = ClockLag()
    lag.record(
        Bar("X", "S", 10, 5, interval="1m", start_ns=0, open="1", high="1", low="1", close="1", volume="1", closed=True)
    )
    assert lag.lowest_ms() is None


def test_an_event_without_exchange_time_is_never_the_lowest() -> None:
    assert trade(0, 1_790_000_000 * 10**9).receive_ns > ClockLag().lowest_ns
