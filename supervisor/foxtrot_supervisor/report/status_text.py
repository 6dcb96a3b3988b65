"""The status as text for people. Pure.

What is wrong comes first, then the connections, the engine, the accounts; the last line says what to do.
 Fields that a status lacks are shown as a dash, so that a newer client can show an older supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.report.diagnosis import Finding, Surroundings, diagnose
from foxtrot_supervisor.report.process_rows import Row, rows_of, serves
from foxtrot_supervisor.report.quantities import duration, mebibytes, microseconds, milliseconds, quantity

__all__ = ["FINDINGS_SHOWN", "WORKERS_LISTED", "Line", "advice", "status_lines"]

FINDINGS_SHOWN: Final = 12
"""Findings shown; `doctor` lists all."""

WORKERS_LISTED: Final = 60
"""Workers of connections with several that are listed; with more, only those that do not serve."""

HANDLERS_SHOWN: Final = 5
EVENTS_SHOWN: Final = 3

Tone: TypeAlias = Literal["plain", "title", "good", "bad", "watch", "dim"]

Status: TypeAlias = Mapping[str, Any]


class Line(Struct, frozen=True):
    """One line; `tone` says how it may be coloured."""

    text: str
    tone: Tone = "plain"


def status_lines(status: Status) -> list[Line]:
    """Return the answer to ``status`` as lines of text."""
    found = _findings(status)
    sections: list[Iterator[Line]] = [
        _head(status),
        _wrong(found),
        _connections(status),
        _remote_workers(status),
        _engine(status),
        _accounts(status),
        _others(status),
        _latest(status),
    ]
    lines: list[Line] = []
    for section in sections:
        shown = list(section)
        lines += [Line(""), *shown] if lines and shown else shown
    return [*lines, Line(""), _closing(status, found)]


def advice(status: Status, findings: Sequence[Finding]) -> str:
    """Return what to do about the most severe finding; "" where there is nothing to do."""
    workers = [*(status.get("workers") or ()), *([status["engine"]] if status.get("engine") else [])]
    given_up = [str(each.get("name")) for each in workers if each.get("state") in ("FATAL", "LOST")]
    if given_up:
        return f"mend the cause, then: foxtrot-supervisor restart {given_up[0]}"
    for finding in findings:
        if finding.where.startswith("handler "):
            return "mend the handler, then: foxtrot-supervisor restart engine"
        if finding.severity == "bad":
            return _about(finding.where, workers)
    waiting = [each for each in workers if each.get("state") == "BACKOFF"]
    if waiting:
        name = waiting[0].get("name")
        when = duration(waiting[0].get("retry_in_s"))
        return f"{name} is started again in {when}; why it ended: foxtrot-supervisor logs {name}"
    return ""


def _about(where: str, workers: Iterable[Status]) -> str:
    if any(each.get("name") == where for each in workers):
        return f"look at it: foxtrot-supervisor logs {where}; if it stays: foxtrot-supervisor restart {where}"
    return "details: foxtrot-supervisor doctor"


def _findings(status: Status) -> list[Finding]:
    try:
        return diagnose(status, Surroundings())
    except KeyError as missing:
        return [Finding("watch", "status", f"is of another version and cannot be judged: it lacks {missing}")]


def _head(status: Status) -> Iterator[Line]:
    supervisor = status.get("supervisor") or {}
    state = str(supervisor.get("state", "-"))
    text = f"foxtrot-supervisor {supervisor.get('version', '')}  {state} for {duration(supervisor.get('uptime_s'))}"
    yield Line(text, "good" if state == "running" else "watch")
    yield Line(
        f"pid {supervisor.get('pid', '-')}  {mebibytes(supervisor.get('rss_bytes'))} of memory"
        f"  {supervisor.get('run_dir', '')}",
        "dim",
    )


def _wrong(found: Sequence[Finding]) -> Iterator[Line]:
    if not found:
        return
    yield Line("What is wrong", "title")
    width = max(len(each.where) for each in found[:FINDINGS_SHOWN])
    for each in found[:FINDINGS_SHOWN]:
        reason = each.detail.partition("\n")[0]
        text = f"  {each.severity.upper():<5}  {each.where:<{width}}  {each.what}" + (f": {reason}" if reason else "")
        yield Line(text, "bad" if each.severity == "bad" else "watch")
    if len(found) > FINDINGS_SHOWN:
        yield Line(f"  and {len(found) - FINDINGS_SHOWN} more: foxtrot-supervisor doctor", "watch")


def _state(row: Row) -> str:
    if row.kind != "connection":
        if row.data.get("stopped_by_operator") and row.data.get("state") == "STOPPED":
            return "STOPPED by an operator"
        phase = row.data.get("rotation")
        return f"{row.data.get('state', '-')}{f' ({phase})' if phase in ('going', 'coming') else ''}"
    serving = sum(each.get("state") == "RUNNING" for each in row.members)
    stopped = sum(bool(each.get("stopped_by_operator")) for each in row.members)
    return f"{serving} of {len(row.members)} serve" + (f", {stopped} stopped by an operator" if stopped else "")


_Column: TypeAlias = tuple[str, Callable[[Row], str]]

_COLUMNS: Final[tuple[_Column, ...]] = (
    ("state", _state),
    ("up", lambda row: duration(row.smallest("uptime_s"))),
    ("events/s", lambda row: quantity(row.total("events_per_s"))),
    ("p50", lambda row: microseconds(row.largest("latency_p50_us"))),
    ("p99", lambda row: microseconds(row.largest("latency_p99_us"))),
    ("data age", lambda row: duration(row.largest("last_data_age_s"))),
    ("loop lag", lambda row: milliseconds(row.largest("loop_lag_ms"))),
    ("restarts", lambda row: quantity(row.total("restarts_total"))),
    ("gaps", lambda row: quantity(row.total("gaps_total"))),
    ("lost", lambda row: quantity(row.total("lost_total"))),
    ("memory", lambda row: mebibytes(row.total("rss_bytes"))),
    ("pid", lambda row: "" if row.kind == "connection" else str(row.data.get("pid") or "-")),
)


def _connections(status: Status) -> Iterator[Line]:
    workers = status.get("workers") or ()
    rows = [row for row in rows_of(status) if row.kind != "process" and not row.is_remote]
    if not rows:
        return
    serving = sum(worker.get("state") == "RUNNING" for worker in workers)
    yield Line(f"Connections: {serving} of {len(workers)} workers serve", "title")
    listed: list[Row] = []
    left_out = 0
    for row in rows:
        shown = [each for each in row.children if len(workers) <= WORKERS_LISTED or _is_down(each)]
        left_out += len(row.children) - len(shown)
        listed += [row, *shown]
    yield from _table(listed)
    if left_out:
        yield Line(f"  {left_out} workers that serve are not listed: foxtrot-supervisor top shows each", "dim")


def _remote_workers(status: Status) -> Iterator[Line]:
    rows = status.get("remote_workers") or ()
    if not rows:
        return
    serving = sum(map(serves, rows))
    yield Line(f"Workers of the cluster: {serving} of {len(rows)} serve", "title")
    shown = rows if len(rows) <= WORKERS_LISTED else [row for row in rows if row.get("state") != "serving"]
    cells = [["", "state", "node", "host", "events/s", "events", "p99", "gaps", "lost", "quiet"]]
    cells += [
        [
            f"{row.get('worker')}/{row.get('incarnation')}",
            str(row.get("state", "-")),
            row.get("node") or "-",
            row.get("host") or "-",
            quantity(row.get("events_per_s")),
            quantity(row.get("events_total")),
            microseconds(row.get("latency_p99_us")),
            quantity(row.get("gaps_total")),
            quantity(row.get("lost_total")),
            duration(row.get("quiet_s")),
        ]
        for row in shown
    ]
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    for row, line in zip([None, *shown], cells, strict=True):
        left = [text.ljust(width) for text, width in zip(line[:4], widths[:4], strict=True)]
        right = [text.rjust(width) for text, width in zip(line[4:], widths[4:], strict=True)]
        tone: Tone = "dim" if row is None else "plain" if row.get("state") == "serving" else "watch"
        yield Line(("  " + "  ".join([*left, *right])).rstrip(), tone)
    if len(shown) < len(rows):
        yield Line(f"  {len(rows) - len(shown)} that serve are not listed: foxtrot-supervisor cluster status", "dim")


def _table(rows: Sequence[Row]) -> Iterator[Line]:
    cells = [["", *(title for title, _ in _COLUMNS)]]
    cells += [[("  " if row.depth else "") + row.name, *(show(row) for _, show in _COLUMNS)] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    for row, line in zip([None, *rows], cells, strict=True):
        left = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        right = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
        tone: Tone = "dim" if row is None else "watch" if _is_down(row) else "plain"
        yield Line(("  " + "  ".join([*left, *right])).rstrip(), tone)


def _is_down(row: Row) -> bool:
    return any(each.get("state") != "RUNNING" for each in row.members)


def _engine(status: Status) -> Iterator[Line]:
    engine = status.get("engine") or {}
    if not engine:
        return
    yield Line(f"Engine: {engine.get('state', '-')}", "title")
    yield Line(
        f"  {quantity(engine.get('events_per_s'))} events/s, {quantity(engine.get('events_total'))} since the start;"
        f" {quantity(engine.get('queue_depth'))} wait;"
        f" dispatch p50 {microseconds(engine.get('dispatch_p50_us'))} p99 {microseconds(engine.get('dispatch_p99_us'))}"
    )
    handlers = sorted(engine.get("handlers") or (), key=_cost, reverse=True)
    for each in handlers[:HANDLERS_SHOWN]:
        failed = f", {quantity(each['errors'])} failed" if each.get("errors") else ""
        suspended = ", suspended" if each.get("suspended") else ""
        yield Line(
            f"  {each.get('handler', '-')}: {quantity(each.get('calls'))} calls of"
            f" {microseconds(each.get('p50_us'))} (p99 {microseconds(each.get('p99_us'))}){failed}{suspended}",
            "bad" if suspended else "watch" if failed else "plain",
        )


def _cost(handler: Status) -> float:
    return float(handler.get("calls") or 0) * float(handler.get("p50_us") or 0.0)


def _accounts(status: Status) -> Iterator[Line]:
    workers = status.get("workers") or ()
    if not workers:
        return
    total = {key: sum(worker.get(key) or 0 for worker in workers) for key in _ACCOUNT}
    yield Line("Events", "title")
    yield Line(
        f"  {quantity(total['committed_total'])} committed = {quantity(total['applied_total'])} handled"
        f" + {quantity(total['deduplicated_total'])} copies + {quantity(total['superseded_total'])} superseded"
        f" + {quantity(total['lost_total'])} lost + those in rings ({total['ring_used_bytes'] / 1024:.0f} KiB)",
        "bad" if total["lost_total"] else "plain",
    )
    for each in status.get("backfills") or ():
        filled, holes = each.get("filled_total", 0), each.get("holes_total", 0)
        if holes:
            tone: Tone = "plain" if filled == holes else "watch"
            yield Line(f"  {each.get('connection')}: {filled} of {holes} gaps filled", tone)


_ACCOUNT: Final = (
    "committed_total",
    "applied_total",
    "deduplicated_total",
    "superseded_total",
    "lost_total",
    "ring_used_bytes",
)


def _others(status: Status) -> Iterator[Line]:
    rows = [row for row in rows_of(status) if row.kind == "process" and row.name != "engine"]
    if not rows:
        return
    yield Line("Other processes", "title")
    for row in rows:
        data = row.data
        up = duration(data.get("uptime_s"))
        text = f"  {row.name}: {data.get('state', '-')}, pid {data.get('pid') or '-'}, up {up}"
        yield Line(f"{text}, {mebibytes(data.get('rss_bytes'))}", "watch" if _is_down(row) else "plain")


def _latest(status: Status) -> Iterator[Line]:
    recent = [str(each) for each in (status.get("engine") or {}).get("recent") or ()]
    if recent:
        yield Line("Latest events", "title")
        yield from (Line(f"  {text}") for text in recent[-EVENTS_SHOWN:])


def _closing(status: Status, found: Sequence[Finding]) -> Line:
    to_do = advice(status, found)
    if to_do:
        return Line(f"What to do: {to_do}", "watch")
    if not found:
        return Line("What to do: nothing, all is well", "good")
    return Line("What to do: nothing now; details: foxtrot-supervisor doctor", "good")
