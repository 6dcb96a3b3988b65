"""Measure the full-screen view with many workers: CPU of a frame, and of a key until the screen shows its effect.

    .venv/bin/python scripts/bench_top.py --workers 1000 --topics 10

The run is played: a real operator socket answers with the status of workers that are made up. Prints one JSON object;
times are milliseconds of CPU of the viewer's process.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import os
import random
import statistics
import tempfile
import time
from typing import Any

from foxtrot_protocol.control import Reply, Request, StatusRequest
from foxtrot_protocol.endpoints import operator_path
from foxtrot_supervisor.cli.screen.app import TopApp
from foxtrot_supervisor.runtime.control_server import ControlServer

FRAMES = 30
INTERVAL_S = 3600.0
"""The viewer polls once; the frames are drawn by hand."""

WORKER: dict[str, Any] = {
    "side": "a",
    "exchange": "binance",
    "state": "RUNNING",
    "desired": "RUNNING",
    "incarnation": 1,
    "latency_p50_us": 120.0,
    "latency_p99_us": 900.0,
    "last_data_age_s": 0.4,
    "loop_lag_ms": 0.8,
    "restarts_total": 0,
    "rss_bytes": 20 << 20,
    "gaps_total": 0,
    "lost_total": 0,
    "uptime_s": 60.0,
}


def status_of(workers: int, topics: int) -> dict[str, Any]:
    """Return a status of connections with four shards each."""
    listed = [{"topic": f"trade.SYMBOL{number}", "state": "flowing", "age_s": 0.1} for number in range(topics)]
    made = []
    for number in range(workers):
        name = f"connection{number // 4:03d}-{number % 4}"
        made.append({**copy.copy(WORKER), "name": f"{name}.a", "connection": name, "topics": listed, "pid": number + 1})
        made[-1] |= {"shard_of": f"connection{number // 4:03d}", "events_per_s": random.uniform(1.0, 500.0)}
    return {"supervisor": {"state": "running", "run_id": "r"}, "engine": {"name": "engine"}, "workers": made}


async def measure(workers: int, topics: int) -> dict[str, Any]:
    """Return the figures."""
    data = status_of(workers, topics)

    async def answer(request: Request) -> Reply:
        return Reply(data=data if isinstance(request, StatusRequest) else {})

    with tempfile.TemporaryDirectory(prefix="foxtrot-top-") as folder:
        server = ControlServer(operator_path(folder), answer)
        await server.start()
        app = TopApp(folder, INTERVAL_S)
        frames, keys, updates = [], [], []
        async with app.run_test(size=(160, 50)) as pilot:
            while not app.observer.connected:
                await pilot.pause(0.1)
            for _ in range(FRAMES):
                began = time.process_time()
                app.draw()
                await pilot.pause()
                frames.append(time.process_time() - began)
                began = time.process_time()
                await pilot.press("pagedown")
                keys.append(time.process_time() - began)
                began = time.process_time()
                app.observer.history.add(time.time(), data)
                updates.append(time.process_time() - began)
        await server.close()
    return {
        "frame_ms": _figures(frames),
        "key_ms": _figures(keys),
        "history_ms": _figures(updates),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _figures(times: list[float]) -> dict[str, float]:
    return {"median": round(1000 * statistics.median(times), 1), "max": round(1000 * max(times), 1)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--topics", type=int, default=10, help="of each worker")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.workers, options.topics))
    print(json.dumps({"workers": options.workers, "topics": options.topics, **figures}))


if __name__ == "__main__":
    main()
