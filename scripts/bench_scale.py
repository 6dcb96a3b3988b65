"""Measure a supervisor with many connections: its share of a CPU, the time of `status`, of the start and of the stop.

    .venv/bin/python scripts/bench_scale.py --connections 100 --rate 2

Real processes: a simulated exchange with one symbol sends RATE events a second to each connection; the connections
subscribe to its trades, and have one worker each. Prints one JSON object; times are in seconds, CPU shares in percent
of one core. Exit status 1 if the run did not end clean.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foxtrot_protocol.control import StatusRequest, StopRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

PROGRAM = Path(sys.executable).with_name("foxtrot-supervisor")

SUPERVISOR = """
[supervisor]
run_dir = "{run_dir}"
"""

CONNECTION = """
[[connections]]
name = "c{number}"
exchange = "binance"
url = "{url}"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

START_S_MAX = 300.0
SETTLE_S = 5.0
"""Seconds between the end of the start and the measurement."""

STATUS_REQUESTS = 10
ANSWER_S_MAX = 60.0
POLL_S = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used (proc(5), fields utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@contextlib.contextmanager
def simulated_exchange(rate: float) -> Iterator[str]:
    """Run a simulated exchange; gives its address."""
    command = [str(PROGRAM), "simulate", "--json", "--symbols", "BTCUSDT", "--rate", f"{rate:g}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def connect(run_dir: Path, process: subprocess.Popen[bytes]) -> ControlClient:
    """Return a client of the supervisor once it answers."""
    while True:
        if process.poll() is not None:
            sys.exit(f"the supervisor has ended with {process.returncode}")
        with contextlib.suppress(NotRunning):
            return ControlClient(str(run_dir))
        time.sleep(POLL_S)


def measure(connections: int, rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Return the figures of one run."""
    run_dir, config = folder / "run", folder / "foxtrot.toml"
    with simulated_exchange(rate) as url, (folder / "log").open("wb") as log:
        tables = [CONNECTION.format(number=number, url=url) for number in range(connections)]
        config.write_text(SUPERVISOR.format(run_dir=run_dir) + "".join(tables))
        began_at = time.monotonic()
        command = [str(PROGRAM), "start", "-c", str(config), "--log-format", "json"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            client = connect(run_dir, process)
            while client.request(StatusRequest(), ANSWER_S_MAX).data["supervisor"]["state"] != "running":
                assert time.monotonic() < began_at + START_S_MAX, "the start takes too long"
                time.sleep(POLL_S)
            start_s = time.monotonic() - began_at
            time.sleep(SETTLE_S)
            cpu_before, measured_at = cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(process.pid) - cpu_before) / (time.monotonic() - measured_at)
            status_s = []
            for _ in range(STATUS_REQUESTS):
                asked_at = time.monotonic()
                status = client.request(StatusRequest(), ANSWER_S_MAX).data
                status_s.append(time.monotonic() - asked_at)
            stopped_at = time.monotonic()
            client.request(StopRequest(), ANSWER_S_MAX)
            code = process.wait(ANSWER_S_MAX)
            stop_s = time.monotonic() - stopped_at
        finally:
            process.kill()
            process.wait()
    return {
        "connections": connections,
        "events_per_s_each": round(statistics.mean(worker["events_per_s"] for worker in status["workers"]), 2),
        "supervisor_cpu_percent": round(100.0 * share, 1),
        "status_s_median": round(statistics.median(status_s), 3),
        "status_s_max": round(max(status_s), 3),
        "start_s": round(start_s, 1),
        "stop_s": round(stop_s, 1),
        "exit_code": code,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Exit status: 0 if the run ended clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=100, metavar="N")
    parser.add_argument("--rate", type=float, default=2.0, help="events a second of the simulated market")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the CPU share is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foxtrot-scale-") as folder:
        figures = measure(options.connections, options.rate, options.seconds, Path(folder))
    print(json.dumps(figures))
    return int(figures["exit_code"] != 0)


if __name__ == "__main__":
    sys.exit(main())
