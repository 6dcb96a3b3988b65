"""Which rule fits which events."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_LIQUIDATION, EVENT_MARKET_TRADE, MarkPrice
from foxtrot_protocol.identity import IdentityRule
from foxtrot_supervisor.engine.delivery.rules.table import first_number, fitting_rule
from foxtrot_supervisor.engine.delivery.streams import Stream, StreamKey
from tests.support.merge_world import delta, trade


@pytest.mark.parametrize(
    ("kind", "rule", "fits"),
    [
        (EVENT_MARKET_TRADE, "sequence", "sequence"),
        (EVENT_BBO, "sequence", "latest"),
        (EVENT_LIQUIDATION, "increasing", "content"),
        (EVENT_MARKET_TRADE, "chained", "content"),
        (EVENT_BOOK, "chained", "chained"),
    ],
)
def test_rules_that_an_event_cannot_follow_are_replaced(kind: str, rule: str, fits: str) -> None:
    assert fitting_rule(kind, rule) == fits


@pytest.mark.parametrize(
    ("rule", "event", "number"),
    [
        ("sequence", trade(7), 7),
        ("increasing", trade(7), 7),
        ("sequence", trade(7, backfilled=True), None),
        ("unique", trade(7), 7001),
        ("update_ids", delta(11, 12), 11),
        ("update_ids", delta(11, 12, first_known=False), 12),
        ("one_side", MarkPrice("SIM", "X", 0, 1, "1"), None),
    ],
)
def test_the_identifier_at_which_a_batch_continues_a_stream(rule: IdentityRule, event: Any, number: int | None) -> None:
    stream = Stream(StreamKey("kind", "X"), rule, "SIM")
    assert first_number(stream, event) == number
