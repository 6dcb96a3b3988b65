"""Texts of the panels: header, engine, incidents, market, details. Pure: clocks and sizes are arguments."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rich.text import Text

from foxtrot_supervisor.cli.screen.columns import STATE_STYLES
from foxtrot_supervisor.cli.screen.sparkline import sparkline
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.client.market_view import MarketView
from foxtrot_supervisor.report.process_rows import all_workers, is_remote, serves
from foxtrot_supervisor.report.quantities import duration, mebibytes, microseconds, milliseconds, quantity
from foxtrot_supervisor.report.topic_problems import topic_problems

__all__ = [
    "INCIDENT_STYLES",
    "Local",
    "details_text",
    "engine_text",
    "header_text",
    "incident_text",
    "incidents_text",
    "market_text",
]

Local: TypeAlias = Callable[[int], datetime.datetime]
"""Nanoseconds since 1970 as a time of the viewer's time zone."""

TOPICS_SHOWN: Final = 200
"""Topics shown in the details; those with a problem come first."""

INCIDENT_STYLES: Final = {
    "recovered": "green",
    "topic_flowing": "green",
    "rotation": "cyan",
    "restart": "cyan",
    "reload": "cyan",
    "death": "bold red",
    "fatal": "bold white on red",
    "killed": "bold red",
    "hung": "bold red",
    "lost_process": "bold white on red",
    "lost_events": "bold red",
    "leak": "bold red",
}
"""Styles by kind of incident; others are yellow."""


def header_text(
    status: Mapping[str, Any], *, connected: bool, problem: str, for_s: float, incidents: int, run_dir: str
) -> Text:
    """Return the first line: whose run, its state, how many workers serve, how many events come.

    `for_s`: seconds since `connected` changed.
    """
    supervisor, engine = status.get("supervisor") or {}, status.get("engine") or {}
    workers = all_workers(status)
    line = Text(no_wrap=True, overflow="ellipsis").append(" foxtrot ", style="bold black on cyan")
    if not connected:
        if status:
            line.append(f"  NOT CONNECTED for {duration(for_s)} ", style="bold white on red")
            line.append("  what was seen last is shown", style="yellow")
        else:
            line.append("  waiting for the run", style="bold yellow")
        line.append(f"  {problem}  {run_dir}", style="dim")
        return line
    state = str(supervisor.get("state", "-"))
    line.append(f"  ● {state}", style="bold green" if state == "running" else "bold yellow")
    line.append(f"  up {duration(supervisor.get('uptime_s'))}")
    if state == "stopping":
        left = sum(process.get("pid") is not None for process in [*workers, engine])
        line.append(f"  {left} processes left", style="bold yellow")
    serving = sum(map(serves, workers))
    line.append(f"  {serving}/{len(workers)} workers serve", style="" if serving == len(workers) else "bold yellow")
    line.append(f"  {quantity(engine.get('events_per_s'))} events/s", style="bold")
    lost = sum(worker.get("lost_total") or 0 for worker in workers)
    line.append(f"  {quantity(lost)} lost", style="bold red" if lost else "green")
    line.append(f"  {incidents} incidents", style="yellow" if incidents else "")
    line.append(f"  {supervisor.get('version', '')}  {run_dir}", style="dim")
    return line


def engine_text(status: Mapping[str, Any], history: History, width: int, lines: int) -> Text:
    """Return the panel of the engine: queue, dispatch, and its handlers, the most expensive first."""
    engine = status.get("engine") or {}
    state = str(engine.get("state", "-"))
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(state, style=STATE_STYLES.get(state, ""))
    text.append(f" #{engine.get('incarnation', '-')}", style="dim")
    text.append(f"  {quantity(engine.get('events_per_s'))}/s ")
    text.append(sparkline(history.engine.events_per_s, max(4, min(24, width - 40))), style="cyan")
    text.append(f"\nqueue {quantity(engine.get('queue_depth'))}")
    text.append(f"  dispatch p50 {microseconds(engine.get('dispatch_p50_us'))}")
    text.append(f" p99 {microseconds(engine.get('dispatch_p99_us'))}")
    text.append(f"  lag {milliseconds(engine.get('loop_lag_ms'))}  {mebibytes(engine.get('rss_bytes'))}")
    handlers = sorted(engine.get("handlers") or (), key=_cost, reverse=True)
    if not handlers:
        text.append("\nno handler has been called yet", style="dim")
    for handler in handlers[: max(0, lines - 2)]:
        style = "bold red" if handler.get("suspended") else "yellow" if handler.get("errors") else ""
        text.append(f"\n{microseconds(handler.get('p50_us')):>6} x {quantity(handler.get('calls')):<7}", style="dim")
        text.append(_short(str(handler.get("handler", "-"))), style=style)
        text.append(f" {handler.get('type') or 'every event'}", style="dim")
        if handler.get("errors"):
            text.append(f"  {quantity(handler['errors'])} failed", style="bold red")
        if handler.get("suspended"):
            text.append("  suspended", style="bold red")
    return text


def _short(handler: str) -> str:
    """Return a handler without its packages: ``module.Class.method`` at most."""
    return ".".join(handler.split(".")[-3:])


def _cost(handler: Mapping[str, Any]) -> float:
    return float(handler.get("calls") or 0) * float(handler.get("p50_us") or 0.0)


def incident_text(incident: Mapping[str, Any], local: Local) -> Text:
    """Return one incident as a line."""
    kind = str(incident.get("kind", ""))
    number = f"#{incident['incarnation']}" if incident.get("incarnation") else ""
    rung = f"  (stop ladder: {incident['rung']})" if incident.get("rung") else ""
    more = f"  and {incident['suppressed']} more before" if incident.get("suppressed") else ""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(local(int(incident.get("at_ns", 0))).strftime("%H:%M:%S "), style="dim")
    line.append(f"{kind.replace('_', ' '):<13} ", style=INCIDENT_STYLES.get(kind, "yellow"))
    line.append(f"{incident.get('worker') or incident.get('connection') or 'supervisor'}{number} ", style="bold")
    line.append(f"{incident.get('cause', '')}{rung}{more}")
    return line


def incidents_text(incidents: Sequence[Mapping[str, Any]], local: Local, lines: int) -> Text:
    """Return the latest incidents, the latest first."""
    if not incidents:
        return Text("none since the start", style="dim green")
    return Text("\n", no_wrap=True, overflow="ellipsis").join(
        incident_text(each, local) for each in reversed(incidents[-lines:])
    )


def market_text(market: MarketView | None, now_ns: int, lines: int) -> Text:
    """Return the panel of the market: last trade, spread, best levels of the book, latest trades."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if market is None or not market.events_total:
        return text.append("no event of this connection yet", style="dim")
    last, top, spread = market.last, market.top, market.spread()
    if last is not None:
        style = "bold green" if last.side == "buy" else "bold red"
        text.append(f"{last.price}", style=style)
        text.append(f"  {last.side} {last.size}", style=style)
        text.append(f"  {duration(max(0.0, (now_ns - last.receive_ns) / 1e9))} ago", style="dim")
    else:
        text.append("no trade yet", style="dim")
    text.append(f"\nspread {'-' if spread is None else _number(spread)}")
    if spread is not None and top is not None and top.ask is not None and float(top.ask) > 0:
        text.append(f"  {spread / float(top.ask) * 1e4:.2f} bp", style="dim")
    text.append(f"  {quantity(market.events_total)} events", style="dim")
    bids, asks = market.bids, market.asks
    if not bids and not asks and top is not None:
        bids = [(top.bid, top.bid_size or "")] if top.bid is not None else []
        asks = [(top.ask, top.ask_size or "")] if top.ask is not None else []
    depth = max(1, (lines - 2) // 2)
    for levels, style in ((list(reversed(asks[:depth])), "red"), (bids[:depth], "green")):
        for price, size in levels:
            text.append(f"\n{price:>14}", style=style)
            text.append(f" {size:>14}", style="dim")
    return text


def _number(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def details_text(process: Mapping[str, Any], incidents: Sequence[Mapping[str, Any]], local: Local) -> Text:
    """Return everything about one process: figures, last exits, topics, incidents, stacks."""
    parts = [*_facts(process), *_exits(process), *_topics(process)]
    if incidents:
        parts += [_title("incidents"), *(incident_text(each, local) for each in reversed(incidents[-20:]))]
    if process.get("stacks"):
        parts += [_title("latest stacks"), Text(str(process["stacks"]))]
    return Text("\n").join(parts)


def _facts(process: Mapping[str, Any]) -> Iterator[Text]:
    state = str(process.get("state", "-"))
    first = Text(f"{process.get('name', '-')}  ", style="bold")
    first.append(state, style=STATE_STYLES.get(state, ""))
    if is_remote(process):
        place = f"node {process['node']} on {process.get('host')}" if process["node"] else "no node"
        first.append(f"  {place}  shard {process.get('shard') or '-'}", style="")
    else:
        first.append(
            f"  wanted: {process.get('desired', '-')}  {process.get('exchange') or process.get('kind', '')}", style=""
        )
    yield first
    if process.get("cause"):
        yield Text(f"cause: {process['cause']}", style="yellow")
    for title, keys in _FACTS:
        found = [f"{label} {show(process[key])}" for key, label, show in keys if process.get(key) is not None]
        if found:
            line = Text(f"{title:<10}", style="dim")
            line.append("   ".join(found), style="")
            yield line


_Show: TypeAlias = Callable[[Any], str]

_FACTS: Final[tuple[tuple[str, tuple[tuple[str, str, _Show], ...]], ...]] = (
    (
        "process",
        (
            ("pid", "pid", str),
            ("incarnation", "incarnation", str),
            ("uptime_s", "up", duration),
            ("restarts_total", "restarts", str),
            ("kills_total", "kills", str),
            ("rotations_total", "rotations", str),
            ("retry_in_s", "next start in", duration),
        ),
    ),
    (
        "resources",
        (
            ("rss_bytes", "memory", mebibytes),
            ("open_fds", "descriptors", str),
            ("threads", "threads", str),
            ("tasks", "tasks", str),
            ("loop_lag_ms", "loop lag", milliseconds),
            ("heartbeat_age_s", "last heartbeat", duration),
        ),
    ),
    (
        "data",
        (
            ("events_per_s", "events/s", quantity),
            ("events_total", "events", quantity),
            ("last_data_age_s", "data age", duration),
            ("latency_p50_us", "latency p50", microseconds),
            ("latency_p99_us", "p99", microseconds),
            ("ring_used_bytes", "in the ring", lambda value: f"{value / 1024:.0f} KiB"),
        ),
    ),
    (
        "account",
        (
            ("committed_total", "committed", quantity),
            ("applied_total", "applied", quantity),
            ("deduplicated_total", "copies", quantity),
            ("superseded_total", "superseded", quantity),
            ("lost_total", "lost", quantity),
            ("dropped_total", "dropped", quantity),
            ("gaps_total", "gaps", quantity),
            ("rejected_total", "frames rejected", quantity),
        ),
    ),
)


def _exits(process: Mapping[str, Any]) -> Iterator[Text]:
    exits = process.get("exits") or ([process["last_exit"]] if process.get("last_exit") else [])
    if exits:
        yield _title("last exits")
    for each in reversed(exits):
        how = f"signal {each['signal']}" if each.get("signal") else f"code {each.get('code')}"
        rung = f", rung {each['rung']}" if each.get("rung") else ""
        line = Text(f"{str(each.get('at', ''))[:19].replace('T', ' ')} UTC  ", style="dim")
        line.append(f"#{each.get('incarnation')}  {how}{rung}  {each.get('cause', '')}", style="")
        yield line


def _topics(process: Mapping[str, Any]) -> Iterator[Text]:
    topics = process.get("topics") or []
    if not topics:
        return
    yield _title(f"topics ({len(topics)})")
    problems = [next(topic_problems({"topics": [topic]}), None) for topic in topics]
    ordered = sorted(zip(topics, problems, strict=True), key=lambda each: each[1] is None)
    for topic, problem in ordered[:TOPICS_SHOWN]:
        style = "" if problem is None else "bold red" if problem.severity == "bad" else "yellow"
        line = Text(f"{topic.get('topic', '-'):<40} {topic.get('state', '-'):<13}", style=style)
        line.append(f"data {duration(topic.get('age_s'))} old", style="dim")
        if topic.get("reason"):
            line.append(f"  {topic['reason']}", style=style)
        yield line
    if len(topics) > TOPICS_SHOWN:
        yield Text(f"... and {len(topics) - TOPICS_SHOWN} more without a problem shown here", style="dim")


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold cyan")
