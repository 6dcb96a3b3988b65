"""Positions of streams."""

from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE
from tests.support.merge_world import A, Merge, trade


def test_the_memory_of_events_without_order_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.streams.REMEMBERED_MAX", 3)
    alone = Merge({EVENT_MARKET_TRADE: "unique"}, A)
    alone.take(A, [trade(name) for name in "abcde"])
    alone.take(A, [trade("a"), trade("e")])
    assert alone.seen == [*"abcde", "a"]
