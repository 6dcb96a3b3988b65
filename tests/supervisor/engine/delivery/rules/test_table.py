"""Which rule fits which events."""

from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_LIQUIDATION, EVENT_MARKET_TRADE
from foxtrot_supervisor.engine.delivery.rules.table import fitting_rule


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
