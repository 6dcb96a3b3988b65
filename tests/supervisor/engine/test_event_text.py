"""Every kind of event says what it is."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_supervisor.engine.event_text import event_text

HEAD = ("SIM", "X", 1, 2)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Trade(*HEAD, 100.5, 2.0, "buy", "1"), "trade X.SIM buy 2.0 at 100.5"),
        (Quote(*HEAD, "1", "2", "3", "4", ""), "quote X.SIM bid 1 x 2, ask 3 x 4"),
        (Quote(*HEAD, None, None, "3", "4", ""), "quote X.SIM bid none, ask 3 x 4"),
        (BookSnapshot(*HEAD, [("1", "2")], [], None, "1", None), "book X.SIM snapshot: 1 bids from 1, no asks"),
        (BookDelta(*HEAD, [("1", "2")], [], None, "1", None), "book X.SIM update: 1 bids, 0 asks changed"),
        (Ticker(*HEAD, "5", None, None, None, None, None), "ticker X.SIM last 5"),
        (Ticker(*HEAD, "5", None, None, None, None, None, "4", None, "6"), "ticker X.SIM last 5, bid 4, ask 6"),
        (
            Bar(*HEAD, "1m", 0, "1", "4", "1", "3", "9", False),
            "bar X.SIM 1m so far: open 1 high 4 low 1 close 3 volume 9",
        ),
        (Funding(*HEAD, "0.0001", 0), "funding X.SIM rate 0.0001"),
        (MarkPrice(*HEAD, "5"), "mark price X.SIM 5"),
        (OpenInterest(*HEAD, "5"), "open interest X.SIM 5"),
        (Liquidation(*HEAD, "sell", "5", "6"), "liquidation X.SIM sell 6 at 5"),
        (FeedStatus(*HEAD, "x@trade", "stale", 9.0), "topic X.SIM x@trade is stale"),
        (Gap(*HEAD, "eBook.", "3", "7", 0, 0, ""), "gap X.SIM announced: eBook. 3 to 7"),
        (Gap(*HEAD, "", None, None, 0, 0, "", filled=True), "gap X.SIM filled: any stream"),
    ],
)
def test_each_kind(event: Any, text: str) -> None:
    assert event_text(event) == text


def test_what_no_batch_contains() -> None:
    class Other:
        exchange, symbol = "SIM", "X"

    assert event_text(Other()) == "Other X.SIM"
