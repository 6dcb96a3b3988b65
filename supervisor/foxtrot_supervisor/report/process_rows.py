"""Rows of the list of connections: grouping, filter and order. Pure.

A connection with one worker is one row; one with sides or shards is a row of sums with its workers below. Workers on
other nodes of a cluster are shown as local ones are, with what this host knows of them. The other processes (engine,
simulator, templates, services) follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.report.health import REMOTE_SERVES
from foxtrot_supervisor.report.topic_problems import topic_problems

__all__ = ["ORDERS", "Kind", "Order", "Row", "all_workers", "arrange", "is_remote", "rows_of", "serves", "severity"]

Kind: TypeAlias = Literal["connection", "worker", "process"]

_SINGLE: Final = ("engine", "nursery", "engine_nursery")
_LISTED: Final = ("services", "simulators")

_CALM: Final = ("RUNNING", "STOPPED", "EXITED", "starting", "serving", "ended")


class Row(Struct):
    """One row, and what its cells are made of."""

    kind: Kind
    name: str
    members: list[Mapping[str, Any]]
    """Elements of the status: the workers of a connection, or the one process."""
    backfill: Mapping[str, Any] | None = None
    """Of a connection: its element of ``backfills``."""
    children: list[Row] = []
    depth: int = 0
    is_last: bool = False
    """Of the workers of its connection."""
    is_open: bool = False
    """Whether its workers are shown below it."""

    @property
    def data(self) -> Mapping[str, Any]:
        """The process of a row that stands for one; of a connection the first worker."""
        return self.members[0]

    @property
    def is_remote(self) -> bool:
        """Whether its workers run on other nodes."""
        return is_remote(self.data)

    def total(self, key: str) -> float | None:
        """Return the sum of a figure over the members; None if none has it."""
        found = [value for each in self.members if (value := each.get(key)) is not None]
        return sum(found) if found else None

    def largest(self, key: str) -> float | None:
        """Return the largest value of a figure; None if no member has it."""
        return max((value for each in self.members if (value := each.get(key)) is not None), default=None)

    def smallest(self, key: str) -> float | None:
        """Return the smallest value of a figure; None if no member has it."""
        return min((value for each in self.members if (value := each.get(key)) is not None), default=None)

    def severity(self) -> int:
        """Return the largest severity of the members."""
        return max(severity(each) for each in self.members)


def all_workers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the workers of a status, then those on other nodes with names as local workers have them."""
    remote = [
        {**row, "name": row.get("worker"), "last_data_age_s": row.get("quiet_s")}
        for row in status.get("remote_workers") or ()
    ]
    return [*(status.get("workers") or ()), *remote]


def is_remote(process: Mapping[str, Any]) -> bool:
    """Return whether it runs on another node: this host knows its events, and nothing of its process."""
    return "node" in process


def serves(process: Mapping[str, Any]) -> bool:
    """Return whether a process, here or on another node, serves."""
    return process.get("state") == "RUNNING" or process.get("state") in REMOTE_SERVES


def severity(process: Mapping[str, Any]) -> int:
    """Return how much is wrong with a process: 3 it is given up, 2 down or bad topics, 1 worth knowing, 0 nothing."""
    state = process.get("state")
    if state in ("FATAL", "LOST"):
        return 3
    if state in ("BACKOFF", "away"):
        return 2
    found = {problem.severity for problem in topic_problems({"topics": (), **process})}
    if "bad" in found:
        return 2
    return int(bool(found) or (state not in _CALM and process.get("incarnation", 1) > 1))


Order: TypeAlias = tuple[str, Callable[[Row], float], bool]
"""Name, key, and whether the largest comes first."""


def _of(name: str, key: str, how: Callable[[Row, str], float | None] = Row.total, *, falling: bool = True) -> Order:
    return name, lambda row: how(row, key) or 0.0, falling


ORDERS: Final[tuple[Order, ...]] = (
    ("problems", lambda row: float(row.severity()), True),
    ("file", lambda row: 0.0, False),
    _of("rate", "events_per_s"),
    _of("p99", "latency_p99_us", Row.largest),
    _of("data age", "last_data_age_s", Row.largest),
    _of("lag", "loop_lag_ms", Row.largest),
    _of("restarts", "restarts_total"),
    _of("memory", "rss_bytes"),
    _of("gaps", "gaps_total"),
    _of("uptime", "uptime_s", Row.smallest, falling=False),
)
"""Orders of rows, the default first; equal rows keep the order of the configuration file."""


def rows_of(status: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a status, in the order of the file: connections with their workers, then other processes."""
    workers: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for worker in all_workers(status):
        workers[str(worker.get("shard_of") or worker.get("connection") or worker.get("name"))].append(worker)
    backfills: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in status.get("backfills") or ():
        backfills[str(each.get("connection"))].append(each)
    rows = [_connection(name, members, backfills) for name, members in workers.items()]
    return [*rows, *(Row("process", str(each.get("name")), [each]) for each in _others(status))]


def _others(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in _SINGLE:
        if status.get(key):
            yield status[key]
    for key in _LISTED:
        yield from status.get(key) or ()


def _connection(name: str, members: list[Mapping[str, Any]], backfills: Mapping[str, list[Mapping[str, Any]]]) -> Row:
    parts = {str(member.get("connection")) for member in members} | {name}
    found = [each for part in sorted(parts) for each in backfills.get(part, ())]
    summed: dict[str, Any] = {}
    for each in found:
        for key, value in each.items():
            if isinstance(value, int):
                summed[key] = summed.get(key, 0) + value
    if len(members) == 1:
        return Row("worker", str(members[0].get("name")), members, summed or None)
    children = [Row("worker", str(member.get("name")), [member], depth=1) for member in members]
    children[-1].is_last = True
    return Row("connection", name, members, summed or None, children)


def arrange(
    rows: Sequence[Row],
    *,
    words: str = "",
    order: Order = ORDERS[0],
    reverse: bool = False,
    closed: Set[str] = frozenset(),
) -> list[Row]:
    """Return the rows to show, from top to bottom.

    Args:
        rows: of `rows_of`.
        words: only rows that contain each of these words, in name, exchange, state or cause; a connection is shown if
            one of its workers is.
        order: see `ORDERS`; workers stay below their connection.
        reverse: the other way round.
        closed: names of connections whose workers are not shown.
    """
    wanted = words.lower().split()
    shown: list[Row] = []
    for row in _sorted([row for row in rows if _matches(row, wanted)], order, reverse):
        is_open = bool(row.children) and row.name not in closed
        row.is_open = is_open
        shown.append(row)
        if is_open:
            children = _sorted([each for each in row.children if _matches(each, wanted)], order, reverse)
            for child in children:
                child.is_last = child is children[-1]
            shown += children
    return shown


def _sorted(rows: list[Row], order: Order, reverse: bool) -> list[Row]:
    _, key, falling = order
    return sorted(rows, key=key, reverse=falling is not reverse)


def _matches(row: Row, words: Iterable[str]) -> bool:
    return all(any(word in text for text in _texts(row)) for word in words)


def _texts(row: Row) -> Iterator[str]:
    yield row.name.lower()
    for member in row.members:
        for key in ("name", "exchange", "state", "cause", "node", "host"):
            yield str(member.get(key) or "").lower()
