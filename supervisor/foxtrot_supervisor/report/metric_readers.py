"""Reads the samples of metrics from a status: sections of it, and what is more than a number. Pure.

A *section* is a part of the status with the labels of its items, such as the workers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.report.health import REMOTE_SERVES, connection_flows, remote_connection_flows
from foxtrot_supervisor.report.incidents import KINDS
from foxtrot_supervisor.telemetry.stages import cumulated

__all__ = [
    "BACKFILL",
    "BUDGET",
    "CHILD",
    "ENGINE",
    "HANDLER",
    "HISTOGRAM_CONNECTIONS_MAX",
    "INCIDENTS",
    "MARKET",
    "PROCESS",
    "REMOTE_WORKER",
    "SUPERVISOR",
    "WORKER",
    "Histogram",
    "Item",
    "Metric",
    "MetricType",
    "Sample",
    "Section",
    "StatusMetric",
    "build",
    "connections_flowing",
    "field",
    "growing",
    "incidents",
    "last_exits",
    "latency",
    "phase",
    "process_is",
    "remote_connections_flowing",
    "remote_latency",
    "remote_serving",
    "remote_states",
    "service_counts",
    "service_figures",
    "service_problems",
    "states",
    "topics",
]

HISTOGRAM_CONNECTIONS_MAX: Final = 100
"""Connections with histograms of their own; with more, histograms are by exchange (label ``connection`` is empty)."""

MetricType: TypeAlias = Literal["gauge", "counter", "histogram", "info"]
Item: TypeAlias = Mapping[str, Any]


class Histogram(Struct, frozen=True):
    """Counts up to each bound, as Prometheus has them."""

    buckets: list[tuple[float, int]]
    """Upper bound and count of all up to it."""
    count: int
    total: float


class Sample(Struct, frozen=True):
    """One value; `labels` in the order of the metric's."""

    labels: tuple[str, ...]
    value: float | Histogram


class Metric(Struct, frozen=True, kw_only=True):
    """The declaration of a metric."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()
    unit: Literal["", "seconds", "bytes"] = ""
    source: str
    """Where the value stands in ``status --json``."""


class StatusMetric(Metric, frozen=True, kw_only=True):
    """A metric that is computed from the status."""

    read: Callable[[Item], Iterator[Sample]]


# ---- sections of the status

Section: TypeAlias = tuple[str, tuple[str, ...], Callable[[Item], Iterable[tuple[tuple[str, ...], Item]]]]
"""Where it stands, the labels, and the items with their labels' values."""


def _processes(status: Item) -> Iterator[tuple[tuple[str, ...], Item]]:
    own = status["supervisor"]
    yield ("supervisor", "supervisor"), {**own, "heartbeat_age_s": None, "state": "RUNNING"}
    for child in _children(status):
        yield (child["name"], child["kind"]), child


def _children(status: Item) -> Iterator[Item]:
    for child in (status["engine"], status["nursery"], status["engine_nursery"]):
        if child:
            yield child
    yield from status["simulators"]
    yield from status["services"]
    yield from status["workers"]


def _workers(status: Item) -> Iterator[tuple[tuple[str, ...], Item]]:
    for worker in status["workers"]:
        yield (worker["name"], worker["connection"], worker["exchange"]), worker


def _remote_labels(row: Item) -> tuple[str, ...]:
    return row["worker"], row["connection"], row["node"]


def _engine(status: Item) -> Iterator[tuple[tuple[str, ...], Item]]:
    if status["engine"]:
        yield (), status["engine"]


SUPERVISOR: Final[Section] = ("supervisor", (), lambda status: [((), status["supervisor"])])
PROCESS: Final[Section] = ("*", ("process", "kind"), _processes)
CHILD: Final[Section] = (
    "*",
    ("process", "kind"),
    lambda status: [((each["name"], each["kind"]), each) for each in _children(status)],
)
WORKER: Final[Section] = ("workers[]", ("worker", "connection", "exchange"), _workers)
REMOTE_WORKER: Final[Section] = (
    "remote_workers[]",
    ("worker", "connection", "node"),
    lambda status: [(_remote_labels(row), row) for row in status["remote_workers"]],
)
ENGINE: Final[Section] = ("engine", (), _engine)
HANDLER: Final[Section] = (
    "engine.handlers[]",
    ("handler", "type"),
    lambda status: _merged_handlers(status["engine"].get("handlers", ())),
)
BACKFILL: Final[Section] = (
    "backfills[]",
    ("connection",),
    lambda status: [((each["connection"],), each) for each in status["backfills"]],
)
BUDGET: Final[Section] = (
    "budgets[]",
    ("address", "kind"),
    lambda status: [((each["address"], each["kind"]), each) for each in status["budgets"]],
)
MARKET: Final[Section] = (
    "markets",
    ("connection",),
    lambda status: [((name,), each) for name, each in status["markets"].items()],
)
INCIDENTS: Final[Section] = ("incidents", (), lambda status: [((), status["incidents"])])


def _merged_handlers(handlers: Sequence[Item]) -> Iterator[tuple[tuple[str, ...], Item]]:
    """Two registrations may have the same name and type: their counts are added, of their times the longest counts."""
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for each in handlers:
        known = merged.setdefault((each["handler"], each["type"]), {})
        for key in ("calls", "slow", "errors"):
            known[key] = known.get(key, 0) + each[key]
        for key in ("p50_us", "p99_us", "max_us", "suspended"):
            known[key] = max(known.get(key, 0), each[key])
    yield from merged.items()


# ---- declarations


def field(
    section: Section,
    name: str,
    metric_type: MetricType,
    help_text: str,
    key: str,
    *,
    divisor: float = 1.0,
) -> StatusMetric:
    """A number of each item of a section; an item without it has no sample."""
    where, labels, items = section

    def read(status: Item) -> Iterator[Sample]:
        for values, item in items(status):
            value = item.get(key)
            if value is not None:
                yield Sample(values, float(value) / divisor)

    return StatusMetric(
        name=name,
        type=metric_type,
        help=help_text,
        labels=labels,
        unit=_unit(name),
        source=f"{where}.{key}",
        read=read,
    )


def _unit(name: str) -> Literal["", "seconds", "bytes"]:
    base = name.removesuffix("_total")
    return "seconds" if base.endswith("_seconds") else "bytes" if base.endswith("_bytes") else ""


def states(status: Item) -> Iterator[Sample]:
    """Yield the number of children of each kind and state."""
    counts = Counter((child["kind"], child["state"]) for child in _children(status))
    for kind in sorted({kind for kind, _ in counts}):
        for state in _STATES:
            yield Sample((kind, state), counts[kind, state])


_STATES: Final = (
    "STOPPED",
    "STARTING",
    "CONNECTING",
    "RUNNING",
    "BACKOFF",
    "STOPPING",
    "EXITED",
    "FATAL",
    "LOST",
)
_REMOTE_STATES: Final = ("starting", "serving", "leaving", "away", "ended", "unknown")
_PHASES: Final = ("starting", "running", "degraded", "stopping", "stopped")
_TOPIC_STATES: Final = {
    "asked": "waiting",
    "acknowledged": "waiting",
    "flowing": "flowing",
    "silent": "silent",
    "stale": "stale",
    "gap": "gap",
    "invalid": "invalid",
}


def topics(status: Item) -> Iterator[Sample]:
    """Yield the number of topics of each worker by state."""
    for labels, worker in _workers(status):
        counts = Counter(_TOPIC_STATES.get(topic["state"], "other") for topic in worker["topics"])
        for state in ("waiting", "flowing", "silent", "stale", "gap", "invalid", "other"):
            yield Sample((*labels, state), counts[state])


def connections_flowing(status: Item) -> Iterator[Sample]:
    """Yield whether each connection flows."""
    exchanges = {worker["connection"]: worker["exchange"] for worker in status["workers"]}
    for name, flows in connection_flows(status).items():
        yield Sample((name, exchanges[name]), flows)


def remote_connections_flowing(status: Item) -> Iterator[Sample]:
    """Yield whether each connection of a cluster flows."""
    for name, flows in remote_connection_flows(status).items():
        yield Sample((name,), flows)


def remote_serving(status: Item) -> Iterator[Sample]:
    """Yield whether each worker of a cluster serves."""
    for row in status["remote_workers"]:
        yield Sample(_remote_labels(row), row["state"] in REMOTE_SERVES)


def remote_states(status: Item) -> Iterator[Sample]:
    """Yield the number of workers of a cluster by node and state."""
    counts = Counter((row["node"], row["state"]) for row in status["remote_workers"])
    for node in sorted({node for node, _ in counts}):
        for state in _REMOTE_STATES:
            yield Sample((node, state), counts[node, state])


def growing(status: Item) -> Iterator[Sample]:
    """Yield whether each watched figure of each process grows."""
    for labels, process in _processes(status):
        for figure, growth in process["growth"].items():
            yield Sample((*labels, figure), growth["verdict"] in ("growing", "over"))


def last_exits(status: Item) -> Iterator[Sample]:
    """Yield how each child ended last."""
    for child in _children(status):
        death = child["last_exit"]
        if death is not None:
            code, signal = death["code"], death["signal"]
            how = f"signal {signal}" if signal is not None else "" if code is None else f"exit code {code}"
            yield Sample((child["name"], child["kind"], how, death["rung"] or ""), 1)


def latency(status: Item) -> Iterator[Sample]:
    """By exchange and connection; beyond a bound by exchange alone."""
    return _latency(status["workers"], lambda worker, connection: (worker["exchange"], connection))


def remote_latency(status: Item) -> Iterator[Sample]:
    """By connection and node; beyond a bound by node alone."""
    return _latency(status["remote_workers"], lambda row, connection: (connection, row["node"]))


def _latency(workers: Sequence[Item], labels_of: Callable[[Item, str], tuple[str, str]]) -> Iterator[Sample]:
    """`labels_of` gets a worker and its connection, "" if there are too many."""
    connections = {worker["connection"] for worker in workers}
    apart = len(connections) <= HISTOGRAM_CONNECTIONS_MAX
    found: defaultdict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for worker in workers:
        labels = labels_of(worker, worker["connection"] if apart else "")
        for stage, counts in worker["stages"].items():
            found[*labels, stage].append(counts)
    for all_labels, parts in found.items():
        yield Sample(all_labels, _histogram(parts))


def _histogram(parts: Sequence[Item]) -> Histogram:
    buckets: list[tuple[float, int]] = []
    count, total = 0, 0.0
    for part in parts:
        more, events = cumulated(part)
        known = [seen for _, seen in buckets] or [0] * len(more)
        buckets = [(bound, seen + before) for (bound, seen), before in zip(more, known, strict=True)]
        count += events
        total += part["sum_s"]
    return Histogram(buckets, count, total)


def process_is(*wanted: str) -> Callable[[Item], Iterator[Sample]]:
    """Return a reader of 1 for each process in one of the states `wanted`, else 0."""
    return lambda status: (Sample(labels, item["state"] in wanted) for labels, item in _processes(status))


def service_problems(status: Item) -> Iterator[Sample]:
    """Yield whether each service has a problem."""
    for service in status["services"]:
        yield Sample((service["name"],), bool(service["problem"]))


def service_counts(status: Item) -> Iterator[Sample]:
    """Yield what each service counts."""
    for service in status["services"]:
        for name, count in service["counts"].items():
            if name.endswith("_total"):
                yield Sample((service["name"], name.removesuffix("_total")), count)


def service_figures(status: Item) -> Iterator[Sample]:
    """Yield what each service measures: figures that rise and fall."""
    for service in status["services"]:
        for name, figure in service["counts"].items():
            if not name.endswith("_total"):
                yield Sample((service["name"], name), figure)


def build(status: Item) -> Iterator[Sample]:
    """Yield version and form."""
    yield Sample((status["supervisor"]["version"], status["supervisor"]["form"]), 1)


def phase(status: Item) -> Iterator[Sample]:
    """Yield the state of the whole."""
    for phase in _PHASES:
        yield Sample((phase,), status["supervisor"]["state"] == phase)


def incidents(status: Item) -> Iterator[Sample]:
    """Yield the number of incidents of each kind."""
    for kind in KINDS:
        yield Sample((kind,), status["incidents"]["by_kind"].get(kind, 0))
