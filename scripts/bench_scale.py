"""Measure a supervisor with many connections: start, memory, its event loop, `status`, replacements, restart, stop.

    .venv/bin/python scripts/bench_scale.py --connections 1000 --topics 10 --twins 50

Real processes: simulated exchanges with TOPICS symbols send RATE events a second to each connection. Each connection
subscribes to the trades of all of them, and has one worker; of TWINS connections both sides run. CONNECTIONS counts
workers. Prints one JSON object: times are in seconds, CPU shares in percent of one core, memory in MiB. Exit status 1
if the run did not end clean, or both sides of a connection were down together.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.control import RestartAllRequest, StatusRequest, StopRequest
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.event_stream import EventStream
from foxtrot_supervisor.client.tap_decoder import Dropped

PROGRAM = Path(sys.executable).with_name("foxtrot-supervisor")

SUPERVISOR = """
[supervisor]
run_dir = "{run_dir}"

[ring]
size_mib = {ring_mib}
"""

CONNECTION = """
[[connections]]
name = "c{number}"
exchange = "binance"
url = "{url}"
channels = ["trade"]
symbols = {symbols}
redundancy = {sides}
"""

EXCHANGE_CONNECTIONS = 250
"""Connections to one simulated exchange, which is one process."""

START_S_MAX = 600.0
STATUS_REQUESTS = 10
ANSWER_S_MAX = 60.0
RESTART_S_MAX = 900.0
POLL_S = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used (proc(5), fields utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mib(pid: int) -> float:
    """Return the proportional set size of a process (proc(5), smaps_rollup): shared pages count by their share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1024.0


@contextlib.contextmanager
def simulated_exchanges(count: int, symbols: list[str], rate: float) -> Iterator[list[str]]:
    """Run simulated exchanges; gives their addresses."""
    command = [str(PROGRAM), "simulate", "--json", "--symbols", ",".join(symbols), "--rate", f"{rate:g}"]
    with contextlib.ExitStack() as stack:
        urls = []
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout is not None
            urls.append(str(json.loads(process.stdout.readline())["url"]))
        yield urls


class Run:
    """A supervisor under measurement."""

    def __init__(self, folder: Path, config: str) -> None:
        self.run_dir, self.log_path = folder / "run", folder / "log"
        path = folder / "foxtrot.toml"
        path.write_text(config)
        self._log = self.log_path.open("wb")
        command = [str(PROGRAM), "start", "-c", str(path), "--log-format", "json"]
        self.began_at = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._client = self._connect()

    def _connect(self) -> ControlClient:
        while True:
            if self.process.poll() is not None:
                sys.exit(
                    f"the supervisor has ended with {self.process.returncode}: {self.log_path.read_text()[-2000:]}"
                )
            with contextlib.suppress(NotRunning):
                return ControlClient(str(self.run_dir))
            time.sleep(POLL_S)

    def _reconnect(self) -> None:
        """Open another connection: the supervisor has closed one that was idle for a minute."""
        self._client.close()
        self._client = self._connect()

    def status(self) -> dict[str, Any]:
        """Return the answer to `status`."""
        self._reconnect()
        return self._client.request(StatusRequest(), ANSWER_S_MAX).data

    def start_s(self) -> float:
        """Wait until all serve; return how long the start took."""
        while self.status()["supervisor"]["state"] != "running":
            assert time.monotonic() < self.began_at + START_S_MAX, "the start takes too long"
            time.sleep(POLL_S)
        return time.monotonic() - self.began_at

    def wait_for_heartbeats(self) -> None:
        """Wait until every worker has reported its topics."""
        while not all(worker["topics"] for worker in self.status()["workers"]):
            assert time.monotonic() < self.began_at + START_S_MAX, "a worker does not report its topics"
            time.sleep(POLL_S)

    def kill(self, worker: dict[str, Any]) -> float:
        """Kill a worker; return the seconds until an event of its successor has come through the engine."""
        decoder = batch_decoder("str")
        with EventStream(str(self.run_dir)) as stream:
            os.kill(worker["pid"], signal.SIGKILL)
            killed_at = time.monotonic()
            for records in stream.records():
                for record in records:
                    batch = None if isinstance(record, Dropped) else decoder.decode(record.data)
                    if batch is None or batch.worker != worker["name"] or batch.incarnation == worker["incarnation"]:
                        continue
                    if any(isinstance(event, Trade) for event in batch.events):
                        return time.monotonic() - killed_at
        raise SystemExit("the engine has ended the stream")

    def restart_all(self) -> dict[str, Any]:
        """Restart all workers; return the answer."""
        self._reconnect()
        return self._client.request(RestartAllRequest(), RESTART_S_MAX).data

    def stop(self) -> tuple[float, int]:
        """Stop; return the seconds and the exit code."""
        began_at = time.monotonic()
        self._client.request(StopRequest(), ANSWER_S_MAX)
        code = self.process.wait(ANSWER_S_MAX)
        return time.monotonic() - began_at, code

    def end(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def states(self) -> list[tuple[str, str]]:
        """Return every change of a worker's state, as logged."""
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines() if '"worker_state"' in line]
        return [(line["worker"], line["state"]) for line in lines]


def both_sides_down(states: list[tuple[str, str]]) -> int:
    """Return how often a side was taken down while its twin, which had served before, did not serve."""
    serving: dict[str, bool] = {}
    found = 0
    for worker, state in states:
        connection, _, side = worker.rpartition(".")
        twin = f"{connection}.{'b' if side == 'a' else 'a'}"
        found += state == "STOPPING" and serving.get(worker, False) and not serving.get(twin, True)
        if state == "RUNNING" or worker in serving:
            serving[worker] = state == "RUNNING"
    return found


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the figures of one run."""
    symbols = [f"S{number}USDT" for number in range(options.topics)]
    tables = options.connections - options.twins
    exchanges = -(-options.connections // EXCHANGE_CONNECTIONS)
    with simulated_exchanges(exchanges, symbols, options.rate) as urls:
        config = SUPERVISOR.format(run_dir=folder / "run", ring_mib=options.ring_mib) + "".join(
            CONNECTION.format(
                number=number,
                url=urls[number % len(urls)],
                symbols=json.dumps(symbols),
                sides=1 + (number < options.twins),
            )
            for number in range(tables)
        )
        run = Run(folder, config)
        try:
            return figures_of(run, options)
        finally:
            run.end()


def figures_of(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """Measure `run` from its start to its stop."""
    pid, start_s = run.process.pid, run.start_s()
    run.wait_for_heartbeats()
    time.sleep(options.settle)
    started = run.status()
    cpu_before, measured_at = cpu_s(pid), time.monotonic()
    time.sleep(options.seconds)
    share = (cpu_s(pid) - cpu_before) / (time.monotonic() - measured_at)
    status_s = []
    for _ in range(STATUS_REQUESTS):
        asked_at = time.monotonic()
        status = run.status()
        status_s.append(time.monotonic() - asked_at)
    supervisor_pss = pss_mib(pid)
    pss = [pss_mib(worker["pid"]) for worker in status["workers"]]
    flowing = sum(topic["state"] == "flowing" for worker in status["workers"] for topic in worker["topics"])
    # what one of two sides brings is a copy of what the other has brought
    sides = Counter(worker["connection"] for worker in status["workers"])
    single = [worker for worker in status["workers"] if sides[worker["connection"]] == 1]
    chosen = single[:: max(1, len(single) // options.kills)][: options.kills]
    kill_s = [run.kill(worker) for worker in chosen]
    restart = run.restart_all() if options.restart_all else {}
    ended, states = run.status(), run.states()
    stop_s, code = run.stop()
    return {
        "connections": len(status["workers"]),
        "topics": sum(len(worker["topics"]) for worker in status["workers"]),
        "topics_flowing": flowing,
        "events_per_s_each": round(statistics.mean(worker["events_per_s"] for worker in status["workers"]), 2),
        "start_s": round(start_s, 1),
        "loop_lag_start_ms": started["supervisor"]["loop_lag_max_ms"],
        "loop_lag_max_ms": ended["supervisor"]["loop_lag_max_ms"],
        "supervisor_cpu_percent": round(100.0 * share, 1),
        "supervisor_pss_mib": round(supervisor_pss, 1),
        "worker_pss_mib_median": round(statistics.median(pss), 2),
        "worker_pss_mib_max": round(max(pss), 2),
        "status_s_median": round(statistics.median(status_s), 3),
        "status_s_max": round(max(status_s), 3),
        "kill_to_event_s_median": round(statistics.median(kill_s), 3),
        "kill_to_event_s_max": round(max(kill_s), 3),
        "restart_all_s": restart.get("seconds"),
        "restarted": restart.get("restarted"),
        "both_sides_down": both_sides_down(states),
        "stop_s": round(stop_s, 1),
        "log_mib": round(run.log_path.stat().st_size / 2**20, 1),
        "exit_code": code,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Exit status: 0 if the run ended clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=100, metavar="N", help="workers, the second sides included")
    parser.add_argument("--twins", type=int, default=0, metavar="N", help="connections with two sides")
    parser.add_argument("--topics", type=int, default=1, metavar="N", help="topics of each connection")
    parser.add_argument("--rate", type=float, default=2.0, help="events a second of each simulated market")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the CPU share is measured")
    parser.add_argument(
        "--settle", type=float, default=5.0, help="seconds from the end of the start to the measurement"
    )
    parser.add_argument("--kills", type=int, default=5, help="workers that are killed, one after the other")
    parser.add_argument("--ring-mib", type=int, default=4, help="size of each worker's ring")
    parser.add_argument("--restart-all", action="store_true", help="restart all workers before the stop")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foxtrot-scale-") as folder:
        figures = measure(options, Path(folder))
    print(json.dumps(figures))
    return int(figures["exit_code"] != 0 or figures["both_sides_down"] != 0)


if __name__ == "__main__":
    sys.exit(main())
