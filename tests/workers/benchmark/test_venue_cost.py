"""Each installed exchange has frames for the benchmark, and its parser makes the events of them that they claim."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib.metadata import entry_points

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.notices import Acknowledged
from foxtrot_workers.benchmark import venue_cost
from foxtrot_workers.benchmark.venue_cost import RECEIVE_NS, VenueCost, WrongFrame, main, measure_venues, opened, parsed
from foxtrot_workers.benchmark.venue_frames.every_venue import VENUE_FRAMES
from foxtrot_workers.benchmark.venue_frames.flat_objects import REFERENCES
from foxtrot_workers.benchmark.venue_frames.series import FrameSeries, VenueFrames

INSTALLED = sorted(
    entry_point.name
    for entry_point in entry_points(group=catalog.GROUP)
    if entry_point.value.startswith("foxtrot_workers.")
)
SERIES = [
    (name, column, series)
    for name, frames in VENUE_FRAMES.items()
    for column in ("trade", "quote", "book")
    if (series := getattr(frames, column)) is not None
]
EVENTS = {"trade": {"trade"}, "quote": {"quote", "ticker"}, "book": {"delta", "snapshot"}}


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    yield
    gc.enable()


def test_every_installed_exchange_has_frames() -> None:
    assert sorted(VENUE_FRAMES) == INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
def test_what_has_no_frames_is_no_channel_of_the_exchange(name: str) -> None:
    frames, channels = VENUE_FRAMES[name], catalog.adapter_class(name).channels
    assert frames.trade is not None
    assert frames.book is not None
    if frames.quote is None or frames.quote.event == "ticker":
        assert "quote" not in channels
    if frames.quote is None:
        assert "ticker" not in channels or name == "dydx"


@pytest.mark.parametrize(("name", "column", "series"), SERIES, ids=[f"{name}-{column}" for name, column, _ in SERIES])
def test_frames_become_the_events_they_claim(name: str, column: str, series: FrameSeries) -> None:
    adapter = opened(catalog.adapter_class(name)(), series)
    events = parsed(adapter, map(series.payload, range(1, 31)), RECEIVE_NS)
    assert [msgspec.to_builtins(event)[0] for event in events] == [series.event] * 30
    assert series.event in EVENTS[column]
    assert all(isinstance(notice, Acknowledged) for notice in adapter.notices)
    encoded = [msgspec.msgpack.encode(event) for event in events]
    assert len(set(encoded)) == 30, "no frame is a copy of another"
    for event in events:
        if isinstance(event, (BookDelta, BookSnapshot)):
            assert len(event.bids) + len(event.asks) == series.levels


def test_the_references_are_frames_of_binance() -> None:
    for series in REFERENCES:
        adapter = opened(catalog.adapter_class("binance")(), series)
        (event,) = parsed(adapter, [series.payload(1)], RECEIVE_NS)
        assert msgspec.to_builtins(event)[0] == series.event


def test_an_exchange_without_frames_is_listed_without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_cost, "TURNS", 2)
    monkeypatch.setattr(venue_cost, "FRAMES_PER_TURN", 20)
    monkeypatch.setattr(catalog, "names", lambda: ["binance", "of_a_third_party"])
    binance, other = msgspec.json.decode(main(), type=list[VenueCost])
    assert other == VenueCost("of_a_third_party")
    assert binance.trade is not None
    assert binance.trade.median_ns > 0
    assert binance.book is not None
    assert binance.book.levels == 20


def test_frames_that_are_not_parsed_are_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = msgspec.structs.replace(REFERENCES[0], event="quote")
    monkeypatch.setitem(VENUE_FRAMES, "binance", VenueFrames(wrong, None, None))
    with pytest.raises(WrongFrame, match=r"binance: 400 frames became 400 events of \['trade'\]"):
        measure_venues(["binance"])
