"""The EventEngine against vn.py's: events a second from `put` to handler, and how long one event takes.

    .venv/bin/python scripts/bench_event_engine.py [--runs N] [--json]

Where vnpy is not installed, a stand-in takes its place: a class of its published design (a queue, a dispatch thread, a
timer thread), written here and named so in the output. Both are measured in turn, in one process, so that what disturbs
the machine disturbs both; ratios are of such pairs, with their spread. One thread puts, one handler takes:

* flood: as fast as it can be put; events a second of wall time, and CPU time of the process for each
* paced: one event each millisecond: mostly the time it takes to wake a thread
* bursts: 100 events each 10 ms, as a busy market sends them
* steady: 50 events each millisecond, 50,000 a second
* surges: 50,000 events at once each second, more than can be handled meanwhile: how long they wait
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import platform
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from foxtrot_supervisor.bench.statistics import percentile
from foxtrot_supervisor.engine.bus import event_engine

FLOOD_EVENTS = 200_000
LATENCY_S = 2.0
HANDLED_WITHIN_S = 60.0


class StandInEvent:
    """An event, as vn.py's documentation has it."""

    def __init__(self, type: str, data: Any = None) -> None:  # noqa: A002 - vn.py's name
        self.type = type
        self.data = data


class StandInEngine:
    """vn.py's published design: an unbounded queue, a thread that waits on it a second at a time, a timer thread."""

    def __init__(self, interval: float = 1) -> None:
        self.interval = interval
        self.waiting: queue.Queue[StandInEvent] = queue.Queue()
        self.handlers: dict[str, list[Callable[[StandInEvent], Any]]] = {}
        self.active = False
        self.threads = [threading.Thread(target=self.dispatch), threading.Thread(target=self.tick)]

    def start(self) -> None:
        self.active = True
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.active = False
        for thread in self.threads:
            thread.join()

    def put(self, event: StandInEvent) -> None:
        self.waiting.put(event)

    def register(self, type: str, handler: Callable[[StandInEvent], Any]) -> None:  # noqa: A002 - vn.py's name
        self.handlers.setdefault(type, []).append(handler)

    def dispatch(self) -> None:
        while self.active:
            try:
                event = self.waiting.get(timeout=1)
            except queue.Empty:
                continue
            for handler in self.handlers.get(event.type, ()):
                handler(event)

    def tick(self) -> None:
        while self.active:
            time.sleep(self.interval)
            self.put(StandInEvent("eTimer"))


@dataclass
class System:
    name: str
    engine: Callable[[], Any]
    event: Callable[[str, Any], Any]


def systems() -> tuple[System, System]:
    """Ours and the other."""
    ours = System("foxtrot-supervisor", event_engine.EventEngine, event_engine.Event)
    try:
        vnpy = importlib.import_module("vnpy.event")
    except ImportError:
        return ours, System("stand-in for vn.py (not installed)", StandInEngine, StandInEvent)
    return ours, System(f"vn.py {importlib.import_module('vnpy').__version__}", vnpy.EventEngine, vnpy.Event)


def flood(system: System) -> dict[str, float]:
    """Events a second from the first `put` to the last handler's end; CPU nanoseconds an event."""
    engine, make = system.engine(), system.event
    done = threading.Event()
    count = 0

    def handle(_: Any) -> None:
        nonlocal count
        count += 1
        if count == FLOOD_EVENTS:
            done.set()

    engine.register("eBench", handle)
    engine.start()
    put = engine.put
    cpu_ns, began = time.process_time_ns(), time.perf_counter()
    for number in range(FLOOD_EVENTS):
        put(make("eBench", number))
    if not done.wait(HANDLED_WITHIN_S):
        raise SystemExit(f"{system.name}: {count} of {FLOOD_EVENTS} events handled within {HANDLED_WITHIN_S:g} s")
    took_s, cpu_ns = time.perf_counter() - began, time.process_time_ns() - cpu_ns
    engine.stop()
    return {"events_per_s": FLOOD_EVENTS / took_s, "cpu_ns_per_event": cpu_ns / FLOOD_EVENTS}


def latencies(system: System, burst: int, every_s: float) -> dict[str, float]:
    """Microseconds from before `put` to the handler's first line."""
    engine, make = system.engine(), system.event
    clock = time.perf_counter_ns
    taken: list[int] = []

    def handle(event: Any) -> None:
        taken.append(clock() - event.data)

    engine.register("eBench", handle)
    engine.start()
    put = engine.put
    at = time.perf_counter() + every_s
    bursts = int(LATENCY_S / every_s)
    for _ in range(bursts):
        time.sleep(max(0.0, at - time.perf_counter()))
        for _ in range(burst):
            put(make("eBench", clock()))
        at += every_s
    deadline = time.monotonic() + HANDLED_WITHIN_S
    while len(taken) < burst * bursts:
        if time.monotonic() > deadline:
            raise SystemExit(f"{system.name}: {len(taken)} of {burst * bursts} events handled")
        time.sleep(0.01)
    engine.stop()
    taken.sort()
    return {"p50_us": percentile(taken, 0.5) / 1000, "p99_us": percentile(taken, 0.99) / 1000}


LOADS: dict[str, Callable[[System], dict[str, float]]] = {
    "flood": flood,
    "paced": lambda system: latencies(system, 1, 0.001),
    "bursts": lambda system: latencies(system, 100, 0.01),
    "steady": lambda system: latencies(system, 50, 0.001),
    "surges": lambda system: latencies(system, 50_000, 1.0),
}


def spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def measure(runs: int) -> dict[str, Any]:
    """All loads, for both systems in turn; who begins changes from run to run."""
    pair = systems()
    results: dict[str, dict[str, list[dict[str, float]]]] = {load: {s.name: [] for s in pair} for load in LOADS}
    for run in range(runs):
        for load, of in LOADS.items():
            for system in pair if run % 2 else reversed(pair):
                gc.collect()
                results[load][system.name].append(of(system))
    ours, other = (system.name for system in pair)
    report: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "system": platform.platform()},
        "runs": runs,
        "loads": {},
    }
    for load, by_system in results.items():
        figures: dict[str, Any] = {}
        for figure in by_system[ours][0]:
            mine = [result[figure] for result in by_system[ours]]
            theirs = [result[figure] for result in by_system[other]]
            figures[figure] = {
                ours: spread(mine),
                other: spread(theirs),
                "ratio": spread([a / b for a, b in zip(mine, theirs, strict=True)]),
            }
        report["loads"][load] = figures
    return report


def show(report: dict[str, Any]) -> None:
    print(f"Python {report['machine']['python']}, {report['runs']} runs; median (least to greatest)")
    for load, figures in report["loads"].items():
        print(f"\n{load}")
        for figure, systems_ in figures.items():
            for name, values in systems_.items():
                digits = 2 if name == "ratio" else 0 if values["median"] >= 1000 else 1
                text = ", ".join(f"{values[key]:,.{digits}f}" for key in ("median", "min", "max"))
                middle, least, greatest = text.split(", ")
                print(f"  {figure:18}{name:36}{middle:>12} ({least} to {greatest})")


def main() -> None:
    parser = argparse.ArgumentParser(description="The EventEngine against vn.py's.")
    parser.add_argument("--runs", type=int, default=5, help="pairs of measurements")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    report = measure(options.runs)
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        show(report)


if __name__ == "__main__":
    main()
