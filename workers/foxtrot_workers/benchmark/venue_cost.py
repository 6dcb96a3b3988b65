"""Measures what each exchange's parser costs: ``python -m foxtrot_workers.benchmark.venue_cost`` prints JSON.

Of each installed exchange: a frame of one trade, one of a quote (of its ticker, where it has no quotes), and one of a
book's change of 20 levels, written after its documentation. All take turns, and each is divided by Binance's comparable
frame of the same turn, so that other load on the machine affects both.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.benchmark.parse_cost import measure
from foxtrot_workers.benchmark.venue_frames.every_venue import VENUE_FRAMES
from foxtrot_workers.benchmark.venue_frames.flat_objects import REFERENCES
from foxtrot_workers.benchmark.venue_frames.series import FrameSeries
from foxtrot_workers.replay.recording import RecordedFrame

__all__ = ["FrameCost", "VenueCost", "WrongFrame", "main", "measure_venues", "opened", "parsed"]

REFERENCE = "binance"
TURNS = 7
FRAMES_PER_TURN = 400
RECEIVE_NS = 1_767_571_200_000_000_000
STEP_NS = 10_000_000
"""Between two frames: a book of 100 updates a second."""

COLUMNS = ("trade", "quote", "book")


class WrongFrame(Exception):
    """A frame did not become the one event that its series claims."""


class FrameCost(Struct, frozen=True):
    """One kind of frames; CPU of the adapter in nanoseconds, without the encoding of events."""

    event: str
    """Tag of the event that a frame becomes."""
    levels: int
    """Levels of a frame of a book; 0 of others."""
    frame_bytes: int
    median_ns: float
    least_ns: float
    most_ns: float
    ratio: float
    """Median of the turns' ratios to Binance's comparable frame: the same event and number of levels."""
    template_ns: float | None
    """A template matches and writes the events; None where there is none."""


class VenueCost(Struct, frozen=True):
    """One exchange; None: it has no such channel. All None: it has no frames here."""

    exchange: str
    trade: FrameCost | None = None
    quote: FrameCost | None = None
    book: FrameCost | None = None


def opened(adapter: Adapter, series: FrameSeries) -> Adapter:
    """Subscribe the channel of `series`, process what comes before its first frame, and return the adapter."""
    adapter.subscribe(adapter.topics([series.channel], [series.symbol]))
    out: list[MarketEvent[str]] = []
    for payload in series.first_payloads():
        adapter.parse(payload, RECEIVE_NS, out)
    for notice in list(adapter.notices):
        if isinstance(notice, RestRequest) and series.answer:
            adapter.on_rest(notice.path, 200, series.answer_body(), RECEIVE_NS, out)
    adapter.notices.clear()
    return adapter


def parsed(adapter: Adapter, frames: Iterable[bytes], receive_ns: int) -> list[MarketEvent[str]]:
    """Return the events of frames that were received one after the other."""
    parse = adapter.parse
    out: list[MarketEvent[str]] = []
    for frame in frames:
        parse(frame, receive_ns, out)
        receive_ns += STEP_NS
    return out


def measure_venues(names: Iterable[str]) -> list[VenueCost]:
    """Measure these exchanges. Raises `WrongFrame`."""
    references = {_kind(series): _Run(REFERENCE, series) for series in REFERENCES}
    venues = {name: dict(_runs(name)) for name in names}
    runs = [*references.values(), *(run for columns in venues.values() for run in columns.values())]
    for turn in range(TURNS):
        for run in runs:
            run.measure(turn)
    return [
        VenueCost(name, **{column: run.cost(references) for column, run in columns.items()})
        for name, columns in venues.items()
    ]


class _Run:
    """The frames of one series, parsed by one connection's adapter over all turns."""

    def __init__(self, exchange: str, series: FrameSeries) -> None:
        self._exchange = exchange
        self._series = series
        self._adapter = opened(catalog.adapter_class(exchange)(), series)
        self._ns: list[float] = []

    def measure(self, turn: int) -> None:
        """Parse one turn's frames."""
        first = 1 + turn * FRAMES_PER_TURN
        frames = [self._series.payload(number) for number in range(first, first + FRAMES_PER_TURN)]
        receive_ns = RECEIVE_NS + first * STEP_NS
        began = time.thread_time_ns()
        events = parsed(self._adapter, frames, receive_ns)
        self._ns.append((time.thread_time_ns() - began) / FRAMES_PER_TURN)
        tags = sorted({str(msgspec.to_builtins(event)[0]) for event in events})
        if len(events) != FRAMES_PER_TURN or tags != [self._series.event]:
            raise WrongFrame(f"{self._exchange}: {FRAMES_PER_TURN} frames became {len(events)} events of {tags}")
        self._adapter.notices.clear()

    def cost(self, references: Mapping[tuple[str, int], _Run]) -> FrameCost:
        """Return what was measured, and measure the template."""
        kind = _kind(self._series)
        ratios = [own / other for own, other in zip(self._ns, references[kind]._ns, strict=True)]
        frames = (
            RecordedFrame(number, 0, "in", "", self._series.payload(number)) for number in range(1, FRAMES_PER_TURN)
        )
        adapter = opened(catalog.adapter_class(self._exchange)(), self._series)
        return FrameCost(
            *kind,
            len(self._series.payload(1)),
            round(statistics.median(self._ns)),
            round(min(self._ns)),
            round(max(self._ns)),
            round(statistics.median(ratios), 2),
            measure(self._exchange, adapter, frames)[0].template_ns,
        )


def _kind(series: FrameSeries) -> tuple[str, int]:
    return series.event, series.levels if series.event in ("delta", "snapshot") else 0


def _runs(name: str) -> Iterator[tuple[str, _Run]]:
    frames = VENUE_FRAMES.get(name)
    for column in COLUMNS if frames is not None else ():
        series: FrameSeries | None = getattr(frames, column)
        if series is not None:
            yield column, _Run(name, series)


def main() -> bytes:
    """Return the costs of all installed exchanges as JSON."""
    gc.disable()
    return msgspec.json.encode(measure_venues(catalog.names()))


if __name__ == "__main__":
    sys.stdout.buffer.write(main())
