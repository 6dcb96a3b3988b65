"""A measurement as tables for people; pure. Programs take the JSON object that `bench.run_bench` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table

from foxtrot_supervisor.bench.changes import Change
from foxtrot_supervisor.bench.statistics import (
    LatencyFigures,
    LatencySpread,
    ParseCost,
    ProcessFigures,
    Spread,
    ThroughputFigures,
    VenueCost,
    VenueFrameCost,
)

__all__ = ["render_bench", "render_changes"]

_LOADS = {
    "trades": "trades",
    "mixed": "40 % trades, 40 % quotes, 20 % book deltas",
}


def render_bench(report: dict[str, Any]) -> RenderableType:
    """The report of `bench.run_bench` as tables."""
    return Group(*_parts(report))


def _parts(report: dict[str, Any]) -> Iterator[RenderableType]:
    machine = report["machine"]
    yield (
        f"{machine['cpu']}, {machine['cores']} cores shared by load server, worker and engine; Linux "
        f"{machine['kernel']}, Python {machine['python']}, hot paths {machine['form']}, load average before: "
        f"{machine['load_average_before']}"
    )
    if "throughput" in report:
        yield _throughput(report["throughput"])
    if "latency" in report:
        yield _latency(report["latency"])
    if "ring" in report:
        yield _ring(report["ring"])
    if "recording" in report:
        yield from _recording(report["recording"])
    if "parse" in report:
        yield _parse(report["parse"])
    if "venues" in report:
        yield _venues(report["venues"])
    if report["processes"]:
        yield _processes(report["processes"])
    yield f"median (min - max); took {report['duration_s']:g} s"


def _parse(costs: list[ParseCost]) -> Table:
    table = Table(
        title="Parsing: CPU of one frame alone on a core, from its bytes to those of its events", title_justify="left"
    )
    for heading in ("exchange", "events", "frames", "bytes", "Python ns", "template ns"):
        table.add_column(heading, justify="left" if heading in ("exchange", "events") else "right")
    for cost in costs:
        template = "-" if cost.template_ns is None else f"{cost.template_ns:,.0f}"
        table.add_row(
            cost.exchange, cost.events, f"{cost.frames:,}", f"{cost.frame_bytes:,}", f"{cost.python_ns:,.0f}", template
        )
    return table


def _venues(costs: list[VenueCost]) -> Table:
    table = Table(
        title="Parser of each exchange: CPU us of a frame, x that of Binance's comparable frame",
        caption="median (min - max); ticker: it has no quotes; whole book: no deltas; 1 level: a frame for each",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("exchange", "trade", "quote", "delta of 20 levels", "template"):
        table.add_column(heading, justify="left" if heading == "exchange" else "right")
    for venue in costs:
        frames = (venue.trade, venue.quote, venue.book)
        if frames == (None, None, None):
            table.add_row(venue.exchange, "no frames", "", "", "")
        else:
            template = " ".join("-" if frame is None else _template(frame.template_ns) for frame in frames)
            table.add_row(venue.exchange, *map(_venue_frame, frames), template)
    return table


def _venue_frame(cost: VenueFrameCost | None) -> str:
    if cost is None:
        return "-"
    remark = {"ticker": "ticker ", "snapshot": "whole book "}.get(cost.event, "1 level " if cost.levels == 1 else "")
    median, least, most = (ns / 1000 for ns in (cost.median_ns, cost.least_ns, cost.most_ns))
    return f"{remark}{median:.2f} ({least:.2f} - {most:.2f}) x{cost.ratio:.1f}"


def _template(ns: float | None) -> str:
    return "-" if ns is None else f"{ns / 1000:.2f}"


def _throughput(loads: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Throughput: exchange socket to handler, as fast as it is taken", title_justify="left")
    for heading in ("load", "system", "events/s", "worker CPU s/M", "engine CPU s/M"):
        table.add_column(heading, justify="left" if heading in ("load", "system") else "right")
    for kind, systems in loads.items():
        for system, figures in systems.items():
            if isinstance(figures, ThroughputFigures):
                cpu = [_spread(each, 2) for each in figures.cpu_s_per_million.values()]
                table.add_row(_LOADS[kind], system, _spread(figures.events_per_s, 0), *cpu)
        for name, ratio in systems.items():
            if name.startswith("ratio"):
                table.add_row("", name, f"x {_spread(ratio, 1)}")
        table.add_section()
    return table


def _latency(rates: dict[str, dict[str, LatencySpread | LatencyFigures]]) -> Table:
    table = Table(title="Latency: exchange socket to handler, paced trades, microseconds", title_justify="left")
    for heading in ("events/s", "system", "p50", "p99", "p99.9", "CPU us an event", "PSS MiB"):
        table.add_column(heading, justify="left" if heading == "system" else "right")
    for rate, systems in rates.items():
        for system, figures in systems.items():
            if isinstance(figures, LatencyFigures):
                table.add_row(f"{int(rate):,}", f"{system} (takes {figures.events_per_s:,}/s)")
                continue
            name = system if figures.keeps_up else f"{system} (falls behind)"
            values = (figures.p50_us, figures.p99_us, figures.p999_us, figures.cpu_s_per_million)
            table.add_row(f"{int(rate):,}", name, *(_spread(value, 0) for value in values), _spread(figures.pss_mib, 1))
        table.add_section()
    return table


def render_changes(changes: Sequence[Change]) -> RenderableType:
    """A comparison with an earlier report as a table."""
    table = Table(title="Compared with the last report in the file", title_justify="left")
    for heading in ("figure (median)", "before", "now", "ratio"):
        table.add_column(heading, justify="left" if heading.startswith("figure") else "right")
    for change in changes:
        ratio = "" if change.ratio is None else f"x {change.ratio:.2f}"
        table.add_row(change.figure, f"{change.before:,.1f}", f"{change.now:,.1f}", ratio)
    return table


def _ring(ring: dict[str, Any]) -> Table:
    title = f"Latency with and without rings, {ring['rate_per_s']:,} events/s, us"
    table = Table(title=title, title_justify="left")
    for heading in ("system", "p50", "p99"):
        table.add_column(heading, justify="left" if heading == "system" else "right")
    for system, figures in ring["p99_us"].items():
        table.add_row(system, _spread(ring["p50_us"][system], 0), _spread(figures, 0))
    table.add_row("ratio", "", f"x {_spread(ring['p99_ratio'], 2)}")
    return table


SIZE_DIGITS: Final = {"kept": 2, "announced": 2, "bytes_per_event": 1, "compression": 1}
"""Digits after the point of the figures of what was recorded."""


def _recording(figures: dict[str, Any]) -> Iterator[Table]:
    names = {"foxtrot": "not recorded", "framed": "frames ring alone", "recorded": "recorded"}
    table = Table(title="Recording: throughput, events/s", title_justify="left")
    for heading in ("", *(f"{kind}{more}" for kind in figures["throughput"] for more in ("", ", ratio"))):
        table.add_column(heading, justify="right" if heading else "left")
    for system, name in names.items():
        cells = []
        for each in figures["throughput"].values():
            ratio = each.get(f"{system} to foxtrot")
            cells += [_spread(each[system].events_per_s, 0), "" if ratio is None else f"x {_spread(ratio, 2)}"]
        table.add_row(name, *cells)
    yield table
    table = Table(title="Recording: latency, us", title_justify="left")
    for heading in (
        "",
        *(f"{percentile} at {int(rate):,}/s" for rate in figures["latency"] for percentile in ("p50", "p99")),
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for system, name in names.items():
        found = [each[system] for each in figures["latency"].values()]
        table.add_row(name, *(_spread(each[key], 0) for each in found for key in ("p50_us", "p99_us")))
    yield table
    table = Table(title="Recording: CPU seconds of a million events", title_justify="left")
    for heading in (
        "",
        *(f"{kind}, {process}" for kind in figures["throughput"] for process in ("worker", "recorder")),
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for system, name in names.items():
        used = [each[system].cpu_s_per_million for each in figures["throughput"].values()]
        table.add_row(
            name,
            *(
                _spread(each[process], 2) if process in each else ""
                for each in used
                for process in ("worker", "recorder")
            ),
        )
    yield table
    table = Table(title="Recording at full speed: what was kept", title_justify="left")
    for heading in ("", "frames kept, of those sent", "said to be lost", "bytes of a recorded event", "compression"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, size in figures["size"].items():
        values = [_spread(size[key], digits) for key, digits in SIZE_DIGITS.items()]
        table.add_row(kind, *values)
    yield table


def _processes(systems: dict[str, dict[str, ProcessFigures]]) -> Table:
    table = Table(title="Processes: start, stop (ms), memory (MiB)", title_justify="left")
    for heading in ("system", "process", "to HELLO", "to READY", "stop", "RSS", "PSS"):
        table.add_column(heading, justify="left" if heading in ("system", "process") else "right")
    for system, processes in systems.items():
        for process, figures in processes.items():
            times = (figures.start_to_hello_ms, figures.start_to_ready_ms, figures.stop_ms)
            memory = (figures.rss_mib, figures.pss_mib)
            table.add_row(system, process, *(_spread(time, 0) for time in times), *(_spread(m, 1) for m in memory))
        table.add_section()
    return table


def _spread(spread: Spread, digits: int) -> str:
    middle = f"{spread.median:,.{digits}f}"
    if spread.runs == 1:
        return middle
    return f"{middle} ({spread.min:,.{digits}f} - {spread.max:,.{digits}f})"
