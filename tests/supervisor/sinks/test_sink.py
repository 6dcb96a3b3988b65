"""The interface of sinks: every event has a kind, errors say why."""

from __future__ import annotations

import typing

import pytest

from foxtrot_protocol.events import EVENT_TYPES, Trade
from foxtrot_supervisor.client.event_selection import KINDS
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS, EventKind, SinkRefuses, SinkRow, SinkUnavailable


def test_kinds_are_those_of_event_lines() -> None:
    assert {EVENT_TYPES[event]: kind for event, kind in KINDS_OF_EVENTS.items()} == {
        event: kind for kind, event in KINDS.items()
    }
    assert set(typing.get_args(EventKind)) == set(KINDS)


@pytest.mark.parametrize("count", [0, 2])
def test_errors_say_why(count: int) -> None:
    trade = Trade("SIM", "BTCUSDT", 1, 2, "1", "1", "buy", "17")
    row = SinkRow(1, "k", "sim", "SIM", "trade", "BTCUSDT", trade)
    refused = SinkRefuses([(row, "too long")] * count)
    assert refused.reason == ("2 rows are refused, the first one: too long" if count else "no row is refused")
    assert len(refused.rows) == count
    assert SinkUnavailable("connection refused").reason == "connection refused"
