"""What a program keeps, and frames of it."""

from __future__ import annotations

import time

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client.frames import FramesUnavailable
from foxtrot_supervisor.client.kept_events import KeptEvents

pytest.importorskip("pandas", reason="the extra `frames` is not installed")


def trade(age_s: float, symbol: str = "A") -> Trade[float]:
    return Trade("SIM", symbol, 0, time.time_ns() - int(age_s * 1e9), 1.0, 2.0, "buy", "1")


def test_nothing_is_kept_unless_asked() -> None:
    kept = KeptEvents()
    kept.add("eMarketTrade.", trade(0))
    with pytest.raises(FramesUnavailable, match=r'call keep\("trade", last="10m"\) first'):
        kept.frame("trade")


def test_frames_by_time_and_symbol() -> None:
    kept = KeptEvents()
    assert kept.keep(["trade", "quote"], last=100) == ["eBbo.", "eMarketTrade."]
    for age_s, symbol in ((50, "A"), (5, "A"), (1, "B")):
        kept.add("eMarketTrade.", trade(age_s, symbol))
    kept.add("eBook.", trade(1))
    assert len(kept.frame("trade")) == 3
    assert len(kept.frame("eMarketTrade.", last="10s")) == 2
    assert list(kept.frame("trade", symbol="B.SIM")["symbol"]) == ["B"]
    assert len(kept.frame("quote")) == 0
    assert kept.types == ["eBbo.", "eMarketTrade."]


@pytest.mark.parametrize("last", ["soon", "-5m", -1, 0, "10"])
def test_times_that_are_none(last: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        KeptEvents().keep("trade", last=last)  # type: ignore[arg-type]
