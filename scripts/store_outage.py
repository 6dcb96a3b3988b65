#!/usr/bin/env python3
"""Kills a store under load, starts it again, and compares what it then holds with what the handlers had.

    scripts/store_outage.py --store nats --rate 10000 --outage 20
    scripts/store_outage.py --store redis --rate 2000 --before 5 --outage 5 --after 5 --json

A simulated exchange, a supervisor with one sink, and a real store run on this machine. Printed are missing and double
events, and the latency of the feed, from receipt to handler, before, during and after the outage, in microseconds.
Exit status 1 if an event is missing or double.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import itertools

from tests.support.process_guard import start_guard
from tests.support.store_contents import make_store, stored_trades
from tests.support.waiting import wait_until

PROGRAM = str(Path(sys.executable).with_name("foxtrot-supervisor"))

LIMIT_S = 60.0

DRAIN_S = 300.0
"""Longest wait until the sink has handed over what it had kept."""

HANDLERS = '''
"""Keeps the identifier of each trade, and the latency of each event, second by second."""

import time
from array import array


class Kept:
    def __init__(self, engine):
        self.trades = open(TRADES, "w", buffering=1 << 16)
        self.times = open(TIMES, "wb", buffering=1 << 16)
        self.gaps = open(GAPS, "w", buffering=1)
        engine.register("eMarketTrade.", self.on_trade)
        engine.register("eGap.", self.on_gap)
        engine.register("eTimer", self.on_timer)

    def on_trade(self, event):
        trade, now = event.data, time.time_ns()
        self.trades.write(trade.trade_id + "\\n")
        array("q", (now, now - trade.receive_ns)).tofile(self.times)

    def on_gap(self, event):
        self.gaps.write(repr(event.data) + "\\n")

    def on_timer(self, event):
        self.trades.flush()

    def close(self):
        for file in (self.trades, self.times, self.gaps):
            file.close()


def setup(engine):
    return Kept(engine)
'''

CONFIGURATION = """
[supervisor]
run_dir = "{folder}/run"
[engine]
handlers = ["kept_handlers:setup"]
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = {symbols}
url = "{url}"
rest_url = "{rest_url}"
[[sinks]]
name = "store"
kind = "{kind}"
spool_mib = 1024
timeout_s = 5.0
"""


class Run:
    """The simulated exchange and the supervisor."""

    def __init__(self, folder: Path, options: argparse.Namespace, keys: Mapping[str, Any]) -> None:
        self.folder = folder
        symbols = [f"S{number}USDT" for number in range(options.symbols)]
        (folder / "kept_handlers.py").write_text(
            HANDLERS.replace("TRADES", repr(str(folder / "trades")))
            .replace("TIMES", repr(str(folder / "times")))
            .replace("GAPS", repr(str(folder / "gaps")))
        )
        command = [PROGRAM, "simulate", "--json", "--rate", str(options.rate), "--symbols", ",".join(symbols)]
        self.exchange = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.exchange.stdout is not None
        announced = json.loads(self.exchange.stdout.readline())
        config = folder / "foxtrot.toml"
        config.write_text(
            CONFIGURATION.format(
                folder=folder,
                symbols=json.dumps(symbols),
                kind=options.store,
                url=announced["url"],
                rest_url=announced["rest_url"],
            )
            + "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
        )
        with (folder / "log").open("wb") as log:
            command = [PROGRAM, "start", "-c", str(config), "--log-format", "json"]
            path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
            environment = {**os.environ, "PYTHONPATH": path}
            self.supervisor = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)

    def status(self) -> dict[str, Any]:
        """``status --json``, empty without an answer."""
        command = [PROGRAM, "status", "--json", "--run-dir", str(self.folder / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def trades(self) -> list[str]:
        """Identifiers that the handler had."""
        path = self.folder / "trades"
        return path.read_text().split() if path.exists() else []

    def close(self) -> int:
        """Stop the supervisor; its exit status."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.supervisor.wait(LIMIT_S * 2)
        self.supervisor.kill()
        self.exchange.kill()
        self.exchange.wait()
        return self.supervisor.wait()


def percentiles(times: Sequence[int]) -> dict[str, float]:
    """Median, 99th percentile and maximum, in microseconds."""
    if not times:
        return {}
    ordered = sorted(times)
    places = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {name: round(ordered[place] / 1000, 1) for name, place in places.items()}


def latencies(path: Path, marks: Sequence[int]) -> list[dict[str, float]]:
    """Percentiles of each phase; `marks`: the times between which they are, in ns."""
    values = array("q")
    with path.open("rb") as file:
        values.frombytes(file.read())
    pairs = list(zip(values[::2], values[1::2], strict=True))
    return [
        {
            "events": sum(begin <= at < end for at, _ in pairs),
            **percentiles([x for at, x in pairs if begin <= at < end]),
        }
        for begin, end in itertools.pairwise(marks)
    ]


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("nats", "redis", "postgresql"), required=True)
    parser.add_argument("--rate", type=float, default=10_000.0, help="events in a second")
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--before", type=float, default=20.0, help="seconds before the store is killed")
    parser.add_argument("--outage", type=float, default=20.0, help="seconds until it is started again")
    parser.add_argument("--after", type=float, default=20.0, help="seconds until the exchange is stopped")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start_guard()
    with tempfile.TemporaryDirectory(prefix="foxtrot-outage-") as name:
        report = outage(Path(name), options)
    print(json.dumps(report, indent=None if options.json else 2))
    return int(bool(report["missing"] or report["double"] or report["gaps"]))


def outage(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run, kill, start, drain, compare."""
    server, keys = make_store(options.store, folder)
    with server:
        run = Run(folder, options, keys)
        try:
            wait_until(lambda: len(run.trades()) > 100 or _ended(run), LIMIT_S, "events")
            marks = [time.time_ns()]
            for seconds, act in ((options.before, server.kill), (options.outage, server.start), (options.after, None)):
                time.sleep(seconds)
                marks.append(time.time_ns())
                if act is not None:
                    act()
            run.exchange.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            wait_until(lambda: _drained(run), DRAIN_S, "the sink to be done")
            drain_s = time.monotonic() - started
            status = run.close()
        finally:
            run.close()
            log = (folder / "log").read_text(errors="replace")
        had = run.trades()
        found = asyncio.run(stored_trades(options.store, server))
        phases = latencies(folder / "times", marks)
        gaps = (folder / "gaps").read_text().splitlines()
    return {
        "store": options.store,
        "rate": round(len(had) / ((marks[-1] - marks[0]) / 1e9)),
        "events": len(had),
        "stored": len(found),
        "missing": len(set(had) - {number for _, number in found}) if had else -1,
        "double": _doubles(key for key, _ in found),
        "gaps": len(gaps),
        "exit_status": status,
        "drain_s": round(drain_s, 1),
        "latency_us": dict(zip(("before", "outage", "after"), phases, strict=True)),
        "reasons": sorted({json.loads(line).get("reason", "") for line in log.splitlines() if "sink_" in line})[:10],
    }


def _ended(run: Run) -> bool:
    assert run.supervisor.poll() is None, (run.folder / "log").read_text()[-5000:]
    return False


def _drained(run: Run) -> bool:
    """Whether the sink has nothing left, and has handed over at least what the handlers had."""
    for service in run.status().get("services", ()):
        counts = service["counts"]
        if service["name"] == "sink-store" and counts.get("pending_rows") == 0:
            return int(counts["delivered_total"]) >= len(run.trades())
    return False


def _doubles(keys: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(keys).values())


if __name__ == "__main__":
    sys.exit(main())
