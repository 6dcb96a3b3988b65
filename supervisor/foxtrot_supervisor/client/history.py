"""Rates and latencies of a run over time, in bounded memory. Pure.

Every series ends at the latest point; a series that began later is shorter. Where nothing is known, such as the
latency of a connection that is down, a point is NaN.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["CONNECTIONS_MAX", "POINTS_MAX", "WORKER_POINTS_MAX", "History", "Series", "listed"]

POINTS_MAX: Final = 600
"""Points kept of the engine and of each connection: ten minutes at one a second."""

WORKER_POINTS_MAX: Final = 60
"""Rates kept of each worker."""

CONNECTIONS_MAX: Final = 4096
"""Connections, and workers, whose series are kept; further ones have none. About 8 KB each."""

_NAN: Final = float("nan")


class Series:
    """Figures of one connection, or of the engine, over time: 32-bit floats, oldest first."""

    def __init__(self) -> None:
        self.events_per_s = array("f")
        self.latency_p50_us = array("f")
        """Engine: time to dispatch an event. Connection: of its slowest worker."""
        self.latency_p99_us = array("f")

    def add(self, events_per_s: float, latency_p50_us: float, latency_p99_us: float) -> None:
        """Append a point; the oldest beyond `POINTS_MAX` goes."""
        _append(self.events_per_s, events_per_s, POINTS_MAX)
        _append(self.latency_p50_us, latency_p50_us, POINTS_MAX)
        _append(self.latency_p99_us, latency_p99_us, POINTS_MAX)


class History:
    """Series of the engine, of each connection of the file (shards together) and of each worker."""

    def __init__(self) -> None:
        self.times = array("d")
        """Unix time of each point, in seconds."""
        self.engine = Series()
        self.queue_depth = array("f")
        """Events that wait in the engine."""
        self.connections: dict[str, Series] = {}
        self.workers: dict[str, array[float]] = {}
        """Events a second of each worker."""

    def add(self, at_s: float, status: Mapping[str, Any]) -> None:
        """Append one point from the answer to ``status``, taken at `at_s` (Unix seconds).

        Series of connections and workers that are no longer there are dropped.
        """
        engine = status.get("engine") or {}
        _append(self.times, at_s, POINTS_MAX)
        self.engine.add(*_figures(engine, "dispatch_p50_us", "dispatch_p99_us"))
        _append(self.queue_depth, _number(engine.get("queue_depth")), POINTS_MAX)
        by_connection: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
        rates: dict[str, float] = {}
        for worker in (*(status.get("workers") or ()), *(status.get("remote_workers") or ())):
            figures = _figures(worker, "latency_p50_us", "latency_p99_us")
            by_connection[str(worker.get("shard_of") or worker.get("connection"))].append(figures)
            name = str(worker.get("name") or worker.get("worker"))
            rates[name] = rates.get(name, 0.0) + figures[0]  # incarnations of a worker on another node
        _keep(self.connections, by_connection)
        for name, workers in by_connection.items():
            series = self.connections.get(name)
            if series is None:
                if len(self.connections) >= CONNECTIONS_MAX:
                    continue
                series = self.connections[name] = Series()
            rate = sum(each[0] for each in workers if not math.isnan(each[0]))
            series.add(rate, _largest(each[1] for each in workers), _largest(each[2] for each in workers))
        _keep(self.workers, rates)
        for name, rate in rates.items():
            points = self.workers.get(name)
            if points is None:
                if len(self.workers) >= CONNECTIONS_MAX:
                    continue
                points = self.workers[name] = array("f")
            _append(points, rate, WORKER_POINTS_MAX)


def listed(points: array[float]) -> list[float | None]:
    """Return points as JSON can hold them: None for NaN."""
    return [None if math.isnan(point) else point for point in points]


def _figures(child: Mapping[str, Any], p50: str, p99: str) -> tuple[float, float, float]:
    # a latency of 0 means: none measured yet
    return _number(child.get("events_per_s")), _number(child.get(p50) or None), _number(child.get(p99) or None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else _NAN


def _largest(values: Iterable[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=_NAN)


def _append(points: array[float], point: float, most: int) -> None:
    points.append(point)
    del points[: max(0, len(points) - most)]


def _keep(series: dict[str, Any], names: Mapping[str, object]) -> None:
    for name in [name for name in series if name not in names]:
        del series[name]
