"""The state of one instrument; test_ticks covers the rest through `TickFold`."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Quote
from foxtrot_supervisor.engine.folds.instrument import CHANGES, InstrumentState

SNAPSHOT = BookSnapshot("SIM", "BTC", 1000, 2000, [(99.0, 1.0)], [(101.0, 2.0)], None, None, None)
DELTA = BookDelta("SIM", "BTC", 3000, 4000, [(100.0, 3.0)], [], None, None, None)
QUOTE = Quote("SIM", "BTC", 5000, 6000, 99.5, 1.0, 100.5, 2.0, "")


def state(*events: Any, source: str = "one") -> InstrumentState:
    instrument = InstrumentState("SIM", "BTC", "GATEWAY")
    instrument.source = source
    for event in events:
        CHANGES[type(event)](instrument, event)
    return instrument


def test_an_update_without_a_snapshot_is_ignored() -> None:
    instrument = state(DELTA)
    assert not instrument.may_differ
    assert not instrument.lose("eBook.")


def test_the_levels_count_as_unchanged_after_a_tick_has_shown_them() -> None:
    instrument = state(SNAPSHOT, DELTA)
    assert instrument.levels_changed()
    tick = instrument.tick(7)
    assert (tick.bid_price_1, tick.bid_price_2, tick.ask_price_1) == (100.0, 99.0, 101.0)
    assert (tick.gateway_name, instrument.emitted_ns) == ("GATEWAY", 7)
    assert not instrument.levels_changed()
    assert not instrument.may_differ


@pytest.mark.parametrize(
    ("stream", "expected"), [("eBook.", (99.5, 0.0)), ("eBbo.", (100.0, 99.0)), ("", (0.0, 0.0)), ("eTick.", None)]
)
def test_a_gap_hides_what_its_stream_supplied(stream: str, expected: tuple[float, float] | None) -> None:
    instrument = state(SNAPSHOT, DELTA, QUOTE)
    assert instrument.lose(stream) == (expected is not None)
    tick = instrument.tick(0)
    assert (tick.bid_price_1, tick.bid_price_2) == (expected or (99.5, 99.0))


def test_only_what_came_from_a_lost_source_is_hidden() -> None:
    instrument = state(SNAPSHOT, source="one")
    instrument.source = "two"
    instrument.quote(QUOTE)
    assert instrument.lose_source("one")
    assert not instrument.lose_source("one")
    assert instrument.tick(0).bid_price_1 == 99.5


def test_what_is_newer_than_the_silence_of_a_topic_stays() -> None:
    instrument = state(SNAPSHOT, QUOTE)
    assert instrument.hide(before_ns=2000)
    assert instrument.tick(0).ask_price_1 == 100.5
    assert not instrument.hide(before_ns=5999)
    assert instrument.hide(before_ns=6000)
    assert instrument.tick(0).ask_price_1 == 0.0
