"""The status for people: problems, one table, the latest events, the last log lines.

Pure except for `LiveView`, which draws on the terminal when called and has no thread. Fields that a status lacks are
shown as a dash, so that a newer client can show an older supervisor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from foxtrot_supervisor.report.clocks import clock_problem
from foxtrot_supervisor.report.process_rows import all_workers, is_remote
from foxtrot_supervisor.report.quantities import duration, mebibytes, microseconds, quantity
from foxtrot_supervisor.report.topic_problems import Problem, Severity, topic_problems

__all__ = ["EVENT_LINES", "LOG_LINES", "WIDE_COLUMNS", "LiveView", "render_status"]

Status = Mapping[str, Any]

EVENT_LINES = 8
"""Latest events shown below the table."""

PROBLEM_LINES = 6
"""Problems shown above the table."""

_PROBLEM_STYLES: Mapping[Severity, str] = {"bad": "bold red", "watch": "yellow"}

_DOWN: Mapping[str, Severity] = {"FATAL": "bad", "LOST": "bad", "BACKOFF": "watch", "away": "bad"}
"""Severity of a worker's state, for states that are problems."""

LOG_LINES = 6
"""Last log lines shown below the events."""

_STATE_STYLES = {
    "RUNNING": "green",
    "STARTING": "cyan",
    "CONNECTING": "cyan",
    "BACKOFF": "yellow",
    "STOPPING": "yellow",
    "STOPPED": "dim",
    "EXITED": "dim",
    "FATAL": "bold red",
    "LOST": "bold red",
    "serving": "green",
    "starting": "cyan",
    "leaving": "yellow",
    "ended": "dim",
    "unknown": "yellow",
    "away": "bold red",
}

_COLUMNS = ("worker", "state", "pid", "up", "restarts", "events", "events/s", "p50", "p99", "data age", "gaps", "RSS")
_CHANGING_SIDES = ("going", "coming")
"""Phases of a rotation that are shown beside the state."""

_LEFT = frozenset(("worker", "state"))
_ONLY_WIDE = frozenset(("pid", "p50", "gaps", "RSS"))

CHANGE_LINES = 5
"""Workers whose symbols were changed at run time that are shown."""

CHANGES_SHOWN = 10
"""Of each, symbols that are shown."""

WIDE_COLUMNS = 110
"""Width of a terminal, in characters, from which on every column is shown."""


def render_status(status: Status, width: int = WIDE_COLUMNS) -> RenderableType:
    """Render the whole status, as ``status --json`` prints it, with the last log lines under ``log``.

    `width`: of the terminal, in characters; below `WIDE_COLUMNS` some columns are left out.
    """
    parts: list[RenderableType] = [_headline(status), *_problems(status), _table(status, width >= WIDE_COLUMNS)]
    parts += _lines("changed at run time, not in the file", list(_run_time_changes(status)), CHANGE_LINES, "")
    parts += _lines("latest events", status.get("engine", {}).get("recent") or (), EVENT_LINES, "")
    parts += _lines("log", status.get("log") or (), LOG_LINES, "dim")
    return Group(*parts)


def _run_time_changes(status: Status) -> Iterator[str]:
    """Symbols that a command or a program has subscribed or unsubscribed."""
    for worker in status.get("workers", ()):
        marked = [
            *(f"+{symbol}" for symbol in worker.get("subscribed_at_run_time", ())),
            *(f"-{symbol}" for symbol in worker.get("unsubscribed_at_run_time", ())),
        ]
        if marked:
            more = f" … ({len(marked)})" if len(marked) > CHANGES_SHOWN else ""
            yield f"{worker.get('name', '-')}: {' '.join(marked[:CHANGES_SHOWN])}{more}"


def _problems(status: Status) -> list[RenderableType]:
    """Render the problems, the most severe first."""
    found = [(str(worker.get("name", "-")), problem) for worker in _workers(status) for problem in _problems_of(worker)]
    found += [("clock", Problem("watch", what)) for each in status.get("clocks", ()) if (what := clock_problem(each))]
    found.sort(key=lambda each: each[1].severity)
    lines = []
    for name, problem in found[:PROBLEM_LINES]:
        text = f"{problem.severity.upper()} {name}: {problem.what}" + (f" ({problem.reason})" if problem.reason else "")
        lines.append(Text(text, style=_PROBLEM_STYLES[problem.severity], no_wrap=True, overflow="ellipsis"))
    if len(found) > PROBLEM_LINES:
        lines.append(Text(f"... and {len(found) - PROBLEM_LINES} more: foxtrot-supervisor doctor", style="yellow"))
    return [*lines, Text("")] if lines else []


def _problems_of(worker: Mapping[str, Any]) -> Iterator[Problem]:
    state = str(worker.get("state", ""))
    if state in _DOWN:
        yield Problem(_DOWN[state], f"is {state}", str(worker.get("cause") or ""))
    yield from topic_problems({"topics": (), **worker})


def _workers(status: Status) -> list[Mapping[str, Any]]:
    nursery = status.get("nursery")
    return [
        *status.get("simulators", ()),
        *([nursery] if nursery else ()),
        *status.get("services", ()),
        *all_workers(status),
    ]


def _headline(status: Status) -> Text:
    supervisor, engine = status.get("supervisor", {}), status.get("engine", {})
    line = Text("foxtrot-supervisor ", style="bold")
    line.append(f"{supervisor.get('version', '')}  pid {supervisor.get('pid', '-')}  ", style="")
    state = str(supervisor.get("state", "-"))
    line.append(state, style=_STATE_STYLES.get(state.upper(), ""))
    line.append(f"  up {duration(supervisor.get('uptime_s'))}  {supervisor.get('run_dir', '')}\n", style="")
    start = status.get("start")
    if start:
        left_s = start.get("remaining_s")
        left = "" if left_s is None else f", about {duration(left_s)} left"
        line.append(f"{start.get('serving')} of {start.get('workers')} workers serve{left}\n", style="yellow")
    line.append("engine ", style="bold")
    state = str(engine.get("state", "-"))
    line.append(state, style=_STATE_STYLES.get(state, ""))
    line.append(
        f"  {quantity(engine.get('events_total'))} events  {quantity(engine.get('events_per_s'))}/s"
        f"  queue {quantity(engine.get('queue_depth'))}"
        f"  dispatch p50 {microseconds(engine.get('dispatch_p50_us'))} p99 "
        f"{microseconds(engine.get('dispatch_p99_us'))}"
        f"  slow {quantity(engine.get('slow_handlers'))}\n",
        style="",
    )
    return line


def _table(status: Status, wide: bool) -> Table:
    shown = [name for name in _COLUMNS if wide or name not in _ONLY_WIDE]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown:
        table.add_column(name, justify="left" if name in _LEFT else "right", no_wrap=True)
    for worker in _workers(status):
        row = _row(worker)
        table.add_row(*(row[name] for name in shown))
    return table


def _row(worker: Mapping[str, Any]) -> dict[str, RenderableType]:
    """Return a cell for each of `_COLUMNS`."""
    state = str(worker.get("state", "-"))
    shown = f"{state} ({worker['rotation']})" if worker.get("rotation") in _CHANGING_SIDES else state
    return {
        "worker": Text(f"{worker['name']} on {worker['node'] or '-'}" if is_remote(worker) else worker["name"]),
        "state": Text(shown, style=_STATE_STYLES.get(state, "")),
        "pid": str(worker.get("pid") or "-"),
        "up": duration(worker.get("uptime_s")),
        "restarts": quantity(worker.get("restarts_total")),
        "events": quantity(worker.get("events_total")),
        "events/s": quantity(worker.get("events_per_s")),
        "p50": microseconds(worker.get("latency_p50_us")),
        "p99": microseconds(worker.get("latency_p99_us")),
        "data age": duration(worker.get("last_data_age_s")),
        "gaps": quantity(worker.get("gaps_total")),
        "RSS": mebibytes(worker.get("rss_bytes")),
    }


def _lines(title: str, lines: Sequence[object], most: int, style: str) -> list[RenderableType]:
    """Render the last `most` of `lines`, each cut to the terminal's width, below a title; nothing without lines."""
    if not lines:
        return []
    parts: list[RenderableType] = [Text(f"\n{title}", style="bold")]
    parts += [Text(str(line), style=style, no_wrap=True, overflow="ellipsis") for line in list(lines)[-most:]]
    return parts


class LiveView:
    """Draws each status in place of the one before; a context manager.

    It has no refresh thread, which the audit at the end of a run would report.
    """

    def __init__(self, console: Console, is_busy: Callable[[], bool] = lambda: False) -> None:
        """`is_busy`: whether the terminal is behind with earlier output; then a status is skipped."""
        self._console = console
        self._is_busy = is_busy
        self._live = Live(
            Text("starting ..."), console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def show(self, status: Status) -> None:
        """Draw `status` now, unless the terminal is busy: stopped by Ctrl-S, or slow."""
        if self._is_busy():
            return
        self._live.update(render_status(status, self._console.width), refresh=True)

    def __enter__(self) -> LiveView:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
