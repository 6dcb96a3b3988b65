"""Kept events: bounded by time, number and size."""

from __future__ import annotations

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client.event_buffer import event_bytes, event_filter
from foxtrot_supervisor.client.event_history import EventHistory

SECOND = 1_000_000_000


def trade(second: int, symbol: str = "A") -> Trade[float]:
    return Trade("SIM", symbol, 0, second * SECOND, 1.0, 1.0, "buy", str(second))


def ids(history: EventHistory, since: int = 0, **symbols: frozenset[str]) -> list[str]:
    return [event.trade_id for event in history.since(since * SECOND, **symbols)]


def test_events_of_the_last_seconds_are_kept() -> None:
    history = EventHistory(event_filter("trade", None), keep_s=3)
    for second in range(10):
        history.add(trade(second))
    assert ids(history) == ["6", "7", "8", "9"]
    assert ids(history, since=8) == ["8", "9"]
    assert history.evicted_total == 0, "they were old"


def test_number_and_size_are_bounded() -> None:
    many = EventHistory(event_filter("trade", None), 100, events_max=2)
    large = EventHistory(event_filter("trade", None), 100, bytes_max=2 * event_bytes(trade(0)))
    for second in range(5):
        many.add(trade(second))
        large.add(trade(second))
    assert ids(many) == ids(large) == ["3", "4"]
    assert many.evicted_total == large.evicted_total == 3


def test_only_wanted_symbols() -> None:
    history = EventHistory(event_filter("trade", ["A", "B"]), 100)
    for symbol in "ABC":
        history.add(trade(1, symbol))
    assert len(history) == 2
    assert len(ids(history, symbols=frozenset("B"))) == 1
