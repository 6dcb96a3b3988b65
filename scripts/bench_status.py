"""Measure what the status of many workers costs the control loop: how long it is held at most, and the whole time.

    .venv/bin/python scripts/bench_status.py --workers 1000 --topics 10

Records and heartbeats are made up, ring files are real; what assembles and encodes the status is the
supervisor's. Prints one JSON object; times are milliseconds of CPU (other processes of a loaded machine do not count).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from foxtrot_protocol.commands import Heartbeat, SourceCounters, TopicStatus
from foxtrot_protocol.ring_layout import CAPACITY_MIN
from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord, Death
from foxtrot_supervisor.core.targets import WorkerPlace
from foxtrot_supervisor.report.ring_accounts import RingAccounts
from foxtrot_supervisor.report.status import Moment, worker_statuses
from foxtrot_supervisor.runtime.run_status import SLICE_WORKERS
from foxtrot_supervisor.runtime.shared_status import SharedStatus
from foxtrot_supervisor.telemetry.ring_figures import list_rings, read_figures
from foxtrot_supervisor.telemetry.vitals import Vitals
from foxtrot_workers.feed.ring_writer import RingWriter

LOOKS = 20


class Run:
    """Workers that run, with heartbeats and rings."""

    def __init__(self, workers: int, topics: int, folder: str) -> None:
        self.folder = folder
        self.records: dict[str, ChildRecord] = {}
        self.vitals: dict[str, Vitals] = {}
        self.places: dict[str, WorkerPlace] = {}
        self.sources: dict[str, SourceCounters] = {}
        listed = [TopicStatus(f"trade.SYMBOL{number}", "flowing", 0.1) for number in range(topics)]
        for number in range(workers):
            name = f"c{number}.a"
            record = ChildRecord(plan=ChildPlan(name=name, tier=2), state=State.RUNNING, incarnation=2, pid=number + 1)
            record.started_at = 95.0
            record.deaths.extend(Death(1, None, 9, "kill", "hung", 94.0) for _ in range(3))
            self.records[name], self.vitals[name] = record, Vitals()
            self.vitals[name].heartbeat(Heartbeat(name, 2, 0.1, 20 << 20, 20, 5, 1, topics=listed), 99.0)
            connection = ConnectionConfig(name=f"c{number}", exchange="okx", channels=["trade"], symbols=["X"])
            self.places[name] = WorkerPlace(connection, "a")
            self.sources[name] = SourceCounters(1, 1, 1, 1, 1.0, 1.0)
            writer = RingWriter(folder, name, 2, CAPACITY_MIN)
            writer.append(1, 1, b"batch")
            writer.close()  # a ring with events stays

    def slices(self) -> Iterator[dict[str, Any]]:
        """Yield the parts as `RunStatus.slices` does."""
        yield {"supervisor": {}}
        names, files, rings = list(self.places), list_rings(self.folder), RingAccounts()
        for start in range(0, len(names), SLICE_WORKERS):
            part = names[start : start + SLICE_WORKERS]
            figures = read_figures(self.folder, [file for name in part for file in files.get(name, ())])
            accounts = rings.with_open(figures, part)
            moment = Moment(100.0, 1.7e9)
            yield {
                "workers": worker_statuses(part, self.records, self.vitals, self.places, self.sources, moment, accounts)
            }


async def measure(run: Run) -> dict[str, Any]:
    """Return how long the loop was held at most in each of `LOOKS` looks (median, worst), and the whole time."""
    shared = SharedStatus(run.slices)
    held, whole, size = [], [], 0
    for _ in range(LOOKS):
        began = time.process_time()
        look = asyncio.create_task(shared.line(fresh=True))
        longest, turned = 0.0, began
        while not look.done():
            await asyncio.sleep(0)
            now = time.process_time()
            longest, turned = max(longest, now - turned), now
        size = len(look.result())
        held.append(1000 * longest)
        whole.append(1000 * (time.process_time() - began))
    return {
        "bytes": size,
        "held_ms_median": round(sorted(held)[LOOKS // 2], 1),
        "held_ms_max": round(max(held), 1),
        "whole_ms_median": round(sorted(whole)[LOOKS // 2], 1),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--topics", type=int, default=10, help="of each worker")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foxtrot-status-") as folder:
        figures = asyncio.run(measure(Run(options.workers, options.topics, folder)))
    print(json.dumps({"workers": options.workers, "topics": options.topics, **figures}))


if __name__ == "__main__":
    main()
