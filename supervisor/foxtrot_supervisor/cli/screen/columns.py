"""Columns of the list of connections: what each shows of a row, and which fit a width. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.cli.screen.sparkline import sparkline
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.report.process_rows import Row
from foxtrot_supervisor.report.quantities import duration, mebibytes, microseconds, milliseconds, quantity

__all__ = [
    "CLUSTER_COLUMNS",
    "COLUMNS",
    "NAME_WIDTH_MAX",
    "NAME_WIDTH_MIN",
    "STATE_STYLES",
    "Column",
    "fitting",
    "name_cell",
]

Cell: TypeAlias = tuple[str, str]
"""Text and style."""

NAME_WIDTH_MIN: Final = 16
NAME_WIDTH_MAX: Final = 40
"""Width of the column of names, in characters."""

SPARK_WIDTH: Final = 12

AGE_OLD_S: Final = 10.0
"""Age of the latest data from which on it is emphasized, in seconds."""

LAG_HIGH_MS: Final = 100.0
"""Lag of an event loop from which on it is emphasized, in milliseconds."""

STATE_STYLES: Final = {
    "RUNNING": "green",
    "STARTING": "cyan",
    "CONNECTING": "cyan",
    "BACKOFF": "bold yellow",
    "STOPPING": "yellow",
    "STOPPED": "dim",
    "EXITED": "dim",
    "FATAL": "bold white on red",
    "LOST": "bold white on red",
    "serving": "green",
    "starting": "cyan",
    "leaving": "yellow",
    "ended": "dim",
    "unknown": "bold yellow",
    "away": "bold white on red",
}
"""Of local processes, and of workers on other nodes."""


class Column(Struct, frozen=True):
    """One column; `rank`: those with the largest go first where the terminal is narrow."""

    title: str
    width: int
    rank: int
    cell: Callable[[Row, History], Cell]
    left: bool = False


def name_cell(row: Row) -> str:
    """Return the name with the lines of the tree."""
    if row.depth:
        return f"{'└' if row.is_last else '├'} {row.name}"
    if row.children:
        return f"{'▾' if row.is_open else '▸'} {row.name}"
    return row.name


def _state(row: Row, _: History) -> Cell:
    if row.kind != "connection":
        state = str(row.data.get("state", "-"))
        phase = row.data.get("rotation")
        return f"{state} {phase}" if phase in ("going", "coming") else state, STATE_STYLES.get(state, "")
    counts = Counter(str(each.get("state")) for each in row.members)
    worst = min(counts, key=_WORST_FIRST.index) if all(each in _WORST_FIRST for each in counts) else "-"
    if len(counts) == 1:
        return f"{len(row.members)} {worst}", STATE_STYLES.get(worst, "")
    return f"{counts[worst]}/{len(row.members)} {worst}", STATE_STYLES.get(worst, "")


_WORST_FIRST = [
    *("LOST", "FATAL", "BACKOFF", "STOPPING", "STARTING", "CONNECTING", "EXITED", "STOPPED", "RUNNING"),
    *("away", "unknown", "leaving", "starting", "ended", "serving"),
]


def _node(row: Row, _: History) -> Cell:
    nodes = sorted({str(each.get("node") or "-") for each in row.members}) if row.is_remote else []
    return nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes" if nodes else "", ""


def _pid(row: Row, _: History) -> Cell:
    return ("" if row.kind == "connection" else str(row.data.get("pid") or "-")), ""


def _incarnation(row: Row, _: History) -> Cell:
    return ("" if row.kind == "connection" else f"#{row.data.get('incarnation', '-')}"), "dim"


def _rate(row: Row, _: History) -> Cell:
    return quantity(row.total("events_per_s")), ""


def _spark(row: Row, history: History) -> Cell:
    if row.kind == "connection":
        series = history.connections.get(row.name)
        points = series.events_per_s if series is not None else ()
    elif row.kind == "worker":
        points = history.workers.get(row.name, ())
    else:
        points = history.engine.events_per_s if row.name == "engine" else ()
    return sparkline(points, SPARK_WIDTH) if points else "", "cyan"


def _age(row: Row, _: History) -> Cell:
    age_s = row.largest("last_data_age_s")
    return duration(age_s), "yellow" if age_s is not None and age_s >= AGE_OLD_S else ""


def _lag(row: Row, _: History) -> Cell:
    lag_ms = row.largest("loop_lag_ms")
    return milliseconds(lag_ms), "yellow" if lag_ms is not None and lag_ms >= LAG_HIGH_MS else ""


def _latency(key: str) -> Callable[[Row, History], Cell]:
    return lambda row, _: (microseconds(row.largest(key)), "")


def _count(key: str) -> Callable[[Row, History], Cell]:
    def cell(row: Row, _: History) -> Cell:
        total = row.total(key)
        return quantity(total), "yellow" if total else "dim"

    return cell


def _backfills(row: Row, _: History) -> Cell:
    figures = row.backfill
    if not figures:
        return "", ""
    filled, holes = figures.get("filled_total", 0), figures.get("holes_total", 0)
    return f"{filled}/{holes}", "" if filled == holes else "yellow"


COLUMNS: Final[tuple[Column, ...]] = (
    Column("state", 15, 0, _state, left=True),
    Column("pid", 8, 7, _pid),
    Column("inc", 5, 6, _incarnation),
    Column("events/s", 8, 1, _rate),
    Column("", SPARK_WIDTH, 3, _spark),
    Column("p50", 7, 8, _latency("latency_p50_us")),
    Column("p99", 7, 2, _latency("latency_p99_us")),
    Column("data age", 8, 1, _age),
    Column("lag", 7, 9, _lag),
    Column("restart", 7, 2, _count("restarts_total")),
    Column("mem", 6, 10, lambda row, _: (mebibytes(row.total("rss_bytes")), "")),
    Column("gaps", 6, 4, _count("gaps_total")),
    Column("filled", 7, 11, _backfills),
    Column("up", 6, 5, lambda row, _: (duration(row.smallest("uptime_s")), "dim")),
)


CLUSTER_COLUMNS: Final[tuple[Column, ...]] = (
    COLUMNS[0],
    Column("node", 12, 1, _node, left=True),
    *COLUMNS[1:2],
    Column("inc", 11, 6, _incarnation),
    *COLUMNS[3:],
)
"""Where workers run on other nodes: their names, and incarnations that count over all of these."""


def fitting(width: int, columns: Sequence[Column] = COLUMNS) -> tuple[int, list[Column]]:
    """Return the width of the column of names, and the columns that fit beside it in `width` characters."""
    shown = list(columns)
    while shown and NAME_WIDTH_MIN + sum(each.width + 1 for each in shown) > width:
        shown.remove(max(shown, key=lambda each: each.rank))
    left = width - sum(each.width + 1 for each in shown)
    return max(1, min(NAME_WIDTH_MAX, left)), shown
