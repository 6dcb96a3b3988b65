#!/usr/bin/env python3
"""Kills a store under load, starts it again, and compares what it then holds with what the handlers had.

    scripts/store_outage.py --store nats --rate 10000 --outage 20
    scripts/store_outage.py --store redis --rate 2000 --before 5 --outage 5 --after 5 --json

A simulated exchange, a supervisor with one sink, and a real store run on this machine. Printed are missing and double
events, and the latency of the feed, from receipt to handler, before, during and after the outage, in microseconds.
What it does now is said on stderr. Exit status 1 if an event is missing or double, or a gap was announced; 3 if
something took longer than ``--patience``.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import itertools

from tests.support.process_guard import start_guard
from tests.support.store_contents import make_store, stored_trades
from tests.support.store_servers import StoreServer

PROGRAM = str(Path(sys.executable).with_name("foxtrot-supervisor"))

STATUS_S = 60.0
"""Longest run of ``status``, in seconds."""

SAID_S = 5.0
"""Interval at which progress is said, in seconds."""

LOOK_S = 0.5
"""Interval at which a condition is checked, in seconds."""

EMPTY_S = 3.0
"""Time for which nothing waits in the sink when it has all, in seconds: heartbeats come every second."""

EVENT_BYTES = 16
"""Size of an event in the file of latencies."""

GAVE_UP = 3
"""Exit status if something took too long."""

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


class GaveUp(Exception):
    """Something took too long."""


class Progress:
    """Says on stderr what is waited for."""

    def __init__(self) -> None:
        self._begun = self._said = time.monotonic()

    def say(self, text: str) -> None:
        """Say it now."""
        self._said = time.monotonic()
        print(f"{self._said - self._begun:6.1f} s  {text}", file=sys.stderr, flush=True)

    def wait(self, what: str, limit_s: float, look: Callable[[], tuple[bool, str]]) -> None:
        """Wait until the first part of what `look` returns is true; raises `GaveUp` after `limit_s` seconds.

        Its second part says how far it is.
        """
        self.say(what)
        deadline = time.monotonic() + limit_s
        while True:
            is_over, facts = look()
            if is_over:
                return
            if time.monotonic() >= deadline:
                raise GaveUp(f"gave up after {limit_s:g} s: {what}: {facts}")
            if time.monotonic() - self._said >= SAID_S:
                self.say(f"{what}: {facts}")
            time.sleep(LOOK_S)


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
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STATUS_S)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def trades(self) -> list[str]:
        """Identifiers that the handler had."""
        path = self.folder / "trades"
        return path.read_text().split() if path.exists() else []

    def handled(self) -> int:
        """Events that handlers had, but for those in their buffers."""
        path = self.folder / "times"
        return path.stat().st_size // EVENT_BYTES if path.exists() else 0

    def close(self, limit_s: float) -> int:
        """Stop the supervisor; its exit status."""
        if self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.supervisor.wait(limit_s)
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
    parser.add_argument("--patience", type=float, default=120.0, help="longest seconds of each step but the above")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start_guard()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # leaves no folder behind
    with tempfile.TemporaryDirectory(prefix="foxtrot-outage-") as name:
        try:
            report = outage(Path(name), options, Progress())
        except GaveUp as reason:
            print(reason, file=sys.stderr)
            return GAVE_UP
    print(json.dumps(report, indent=None if options.json else 2))
    return int(bool(report["missing"] or report["double"] or report["gaps"]))


def outage(folder: Path, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Run, kill, start, drain, compare. Raises `GaveUp`."""
    patience_s = options.patience
    server, keys = make_store(options.store, folder)
    with server:
        run = Run(folder, options, keys)
        try:
            progress.wait("events flow", patience_s, lambda: _flows(run))
            marks = [time.time_ns()]
            for what, seconds, act in (
                ("the store runs", options.before, server.kill),
                ("the store is away", options.outage, server.start),
                ("the store is back", options.after, None),
            ):
                _pass(progress, what, seconds, run)
                marks.append(time.time_ns())
                if act is not None:
                    act()
            run.exchange.send_signal(signal.SIGSTOP)
            drain = Drain(run)
            progress.wait("the sink hands over the rest", patience_s, drain.look)
            progress.say("the supervisor stops")
            status = run.close(patience_s)
        finally:
            run.close(patience_s)
            log = (folder / "log").read_text(errors="replace")
        had = run.trades()
        progress.say("what the store holds is read")
        found = asyncio.run(_read_back(options, server))
        progress.say(f"{len(found)} events are compared with the {len(had)} of handlers")
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
        "drain_s": round(drain.took_s, 1),
        "latency_us": dict(zip(("before", "outage", "after"), phases, strict=True)),
        "reasons": sorted({json.loads(line).get("reason", "") for line in log.splitlines() if "sink_" in line})[:10],
    }


async def _read_back(options: argparse.Namespace, server: StoreServer) -> list[tuple[str, str]]:
    try:
        async with asyncio.timeout(options.patience):
            return await stored_trades(options.store, server)
    except TimeoutError:
        raise GaveUp(f"gave up after {options.patience:g} s: what the store holds is read") from None


def _pass(progress: Progress, what: str, seconds: float, run: Run) -> None:
    """Let `seconds` pass."""
    until = time.monotonic() + seconds

    def look() -> tuple[bool, str]:
        _check(run)
        return time.monotonic() >= until, f"{run.handled()} events handled"

    progress.wait(what, float("inf"), look)


def _flows(run: Run) -> tuple[bool, str]:
    _check(run)
    return run.handled() > 100, f"{run.handled()} events handled"


def _check(run: Run) -> None:
    assert run.supervisor.poll() is None, (run.folder / "log").read_text()[-5000:]


class Drain:
    """Looks whether the sink has nothing left, for as long as several heartbeats take."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._begun = time.monotonic()
        self._empty_since: float | None = None

    @property
    def took_s(self) -> float:
        """Seconds until nothing was left."""
        return (self._empty_since or time.monotonic()) - self._begun

    def look(self) -> tuple[bool, str]:
        """Whether it is over, and how far it is."""
        _check(self._run)
        for service in self._run.status().get("services", ()):
            if service["name"] == "sink-store":
                waiting = service["counts"].get("pending_rows", -1)
                if waiting:
                    self._empty_since = None
                elif self._empty_since is None:
                    self._empty_since = time.monotonic()
                is_over = self._empty_since is not None and time.monotonic() - self._empty_since >= EMPTY_S
                return is_over, f"{waiting} rows wait; {service.get('problem') or 'no problem'}"
        return False, "the sink is not in status"


def _doubles(keys: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(keys).values())


if __name__ == "__main__":
    sys.exit(main())
