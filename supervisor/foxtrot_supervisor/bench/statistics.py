"""Figures out of measurements: spread, percentiles, ratios; pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct

__all__ = [
    "ChildTimes",
    "Footprint",
    "LatencyFigures",
    "LatencySpread",
    "ParseCost",
    "ProcessFigures",
    "RunResult",
    "Spread",
    "ThroughputFigures",
    "VenueCost",
    "VenueFrameCost",
    "behind",
    "latency_figures",
    "latency_spread",
    "percentile",
    "process_figures",
    "ratio_of",
    "spread_of",
    "throughput_figures",
]

WARM_UP_FRACTION = 0.05
"""Of the events of a latency run, left out of its percentiles."""

KEEPS_UP_FRACTION = 0.95
"""Below this part of the rate at the handler a system does not keep up, and its latencies are those of a queue."""


# ---- what one run gives


class ChildTimes(Struct):
    """Milliseconds from the start of the process to its HELLO and READY, and from STOP to its end."""

    hello_ms: float = 0.0
    ready_ms: float = 0.0
    stop_ms: float = 0.0


class Footprint(Struct, frozen=True):
    """Memory of one process; `pss_bytes` counts shared pages in shares."""

    rss_bytes: int
    pss_bytes: int


class RunResult(Struct, frozen=True):
    """One run of one system; processes are called ``worker`` and ``engine``."""

    events_per_s: float
    cpu_s_per_million: dict[str, float]
    server_cpu_s_per_million: float
    times: dict[str, ChildTimes]
    memory: dict[str, Footprint]
    latencies_ns: list[int] = []


# ---- what is reported


class Spread(Struct, frozen=True):
    """Least, middle and greatest of a few repeated measurements."""

    min: float
    median: float
    max: float
    runs: int


class ThroughputFigures(Struct, frozen=True):
    """Of one system under one load; CPU in seconds a million events, user and system time of all threads."""

    events_per_s: Spread
    cpu_s_per_million: dict[str, Spread]
    load_server_cpu_s_per_million: Spread


class LatencyFigures(Struct, frozen=True):
    """From the sender's write to the handler's first line, at one pace; None where it was not measured.

    `keeps_up` False without latencies: the system had been seen to take fewer events a second than this pace.
    """

    events_per_s: int
    keeps_up: bool
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    max_us: float | None = None
    samples: int = 0
    cpu_s_per_million: dict[str, float] = {}


class LatencySpread(Struct, frozen=True):
    """Repeated runs at one pace; `pss_mib` is that of all processes of the system at the end of a run."""

    keeps_up: bool
    p50_us: Spread
    p99_us: Spread
    p999_us: Spread
    max_us: Spread
    samples: int
    cpu_s_per_million: Spread
    pss_mib: Spread


class ProcessFigures(Struct, frozen=True):
    """Start, stop and memory of one process of the chain; memory at the end of a run."""

    start_to_hello_ms: Spread
    start_to_ready_ms: Spread
    stop_ms: Spread
    rss_mib: Spread
    pss_mib: Spread


def throughput_figures(runs: Sequence[RunResult]) -> ThroughputFigures:
    """The figures of repeated runs of one system."""
    return ThroughputFigures(
        spread_of([run.events_per_s for run in runs], 0),
        {name: spread_of([run.cpu_s_per_million[name] for run in runs]) for name in runs[0].cpu_s_per_million},
        spread_of([run.server_cpu_s_per_million for run in runs]),
    )


def latency_figures(run: RunResult, rate_per_s: int) -> LatencyFigures:
    """The figures of one paced run, its warm-up left out."""
    samples = sorted(run.latencies_ns[int(len(run.latencies_ns) * WARM_UP_FRACTION) :])

    def microseconds(ns: int) -> float:
        return round(ns / 1000, 1)

    return LatencyFigures(
        p50_us=microseconds(percentile(samples, 0.5)),
        p99_us=microseconds(percentile(samples, 0.99)),
        p999_us=microseconds(percentile(samples, 0.999)),
        max_us=microseconds(samples[-1]),
        samples=len(samples),
        events_per_s=round(run.events_per_s),
        keeps_up=run.events_per_s >= KEEPS_UP_FRACTION * rate_per_s,
        cpu_s_per_million={name: round(seconds, 3) for name, seconds in run.cpu_s_per_million.items()},
    )


def latency_spread(runs: Sequence[RunResult], rate_per_s: int) -> LatencySpread:
    """The figures of repeated paced runs of one system."""
    each = [latency_figures(run, rate_per_s) for run in runs]
    return LatencySpread(
        keeps_up=all(figures.keeps_up for figures in each),
        p50_us=spread_of([figures.p50_us or 0.0 for figures in each], 1),
        p99_us=spread_of([figures.p99_us or 0.0 for figures in each], 1),
        p999_us=spread_of([figures.p999_us or 0.0 for figures in each], 1),
        max_us=spread_of([figures.max_us or 0.0 for figures in each], 1),
        samples=sum(figures.samples for figures in each),
        cpu_s_per_million=spread_of([sum(run.cpu_s_per_million.values()) for run in runs], 1),
        pss_mib=spread_of([sum(each.pss_bytes for each in run.memory.values()) / 2**20 for run in runs], 1),
    )


def behind(able_per_s: float) -> LatencyFigures:
    """For a pace that is beyond a system that takes only `able_per_s` events a second."""
    return LatencyFigures(events_per_s=round(able_per_s), keeps_up=False)


def process_figures(runs: Sequence[RunResult]) -> dict[str, ProcessFigures]:
    """The figures of each process of one system, over all its runs."""
    return {
        name: ProcessFigures(
            spread_of([run.times[name].hello_ms for run in runs], 1),
            spread_of([run.times[name].ready_ms for run in runs], 1),
            spread_of([run.times[name].stop_ms for run in runs], 1),
            spread_of([run.memory[name].rss_bytes / 2**20 for run in runs], 1),
            spread_of([run.memory[name].pss_bytes / 2**20 for run in runs], 1),
        )
        for name in runs[0].times
    }


def spread_of(values: Sequence[float], digits: int = 3) -> Spread:
    """The spread of at least one value, rounded to so many `digits`."""
    return Spread(
        round(min(values), digits), round(statistics.median(values), digits), round(max(values), digits), len(values)
    )


def ratio_of(ours: Sequence[float], others: Sequence[float]) -> Spread:
    """How many times `others` is in `ours`, pair by pair: neighbours in time, so noise hits both alike."""
    return spread_of([mine / theirs for mine, theirs in zip(ours, others, strict=True)], 2)


def percentile(ordered: Sequence[int], fraction: float) -> int:
    """The least of the ascending values that at least `fraction` (0 to 1) of them do not exceed (nearest rank)."""
    rank = -int(-fraction * len(ordered) // 1)  # rounded up
    return ordered[max(0, min(len(ordered), rank) - 1)]


class ParseCost(Struct, frozen=True):
    """One kind of frames of one exchange; times in nanoseconds, medians."""

    exchange: str
    events: str
    """Tags of the events that a frame becomes."""
    frames: int
    frame_bytes: int
    """Median size."""
    python_ns: float
    """The adapter parses, the events are encoded."""
    template_ns: float | None
    """A template matches and writes; None where there is none."""


class VenueFrameCost(Struct, frozen=True):
    """One kind of frames of one exchange; CPU of its parser in nanoseconds."""

    event: str
    """Tag of the event that a frame becomes."""
    levels: int
    """Levels of a frame of a book; 0 of others."""
    frame_bytes: int
    median_ns: float
    least_ns: float
    most_ns: float
    ratio: float
    """To Binance's comparable frame in the same run."""
    template_ns: float | None
    """A template matches and writes; None where there is none."""


class VenueCost(Struct, frozen=True):
    """One installed exchange; None: it has no such channel. All None: there are no frames of it."""

    exchange: str
    trade: VenueFrameCost | None
    quote: VenueFrameCost | None
    book: VenueFrameCost | None
