"""Start and stop workers again and again in one supervisor, and see whether anything grows.

    .venv/bin/python scripts/soak.py                      # 1,000 cycles, some minutes
    .venv/bin/python scripts/soak.py --cycles 200 --workers 8 --start-method spawn --json

Every other cycle is a SIGKILL of a worker, which the supervisor has to notice and mend; the others are `restart`
requests. The workers are real ones, on the embedded simulated exchange. After each cycle the supervisor is inspected
from outside (/proc) and asked for its tasks. At the end it is stopped and has to be clean.

Exit status 0 if descriptors, threads, tasks and children are as many as at the start, no zombie is left, and the
supervisor's memory grows by less than the limit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import psutil
except ImportError:
    sys.exit("scripts/soak.py needs psutil: pip install -e '.[test]'")

from foxtrot_protocol.control import RestartRequest, StatusRequest, StopRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

CONFIGURATION = """
[supervisor]
run_dir = "{run_dir}"
start_method = "{start_method}"
heartbeat_s = 0.2
hung_s = 5.0
restart_intensity = 1000000
backoff_s = 0.0
backoff_max_s = 0.0
"""

CONNECTION = """
[[connections]]
name = "soak-{number}"
exchange = "sim"
channels = ["trade", "quote"]
symbols = ["BTCUSDT"]
"""

LIMIT_S = 30.0
"""How long one cycle may take."""

POLL_S = 0.005

WARM_UP_SHARE = 0.2
"""Of all cycles: memory of these is not in the slope, since caches fill."""

SETTLE_S = 5.0
"""How long the last closed connection and the last orphan may take to be gone before the last look."""

FIGURES = ("descriptors", "threads", "tasks", "children", "zombies")


class Run:
    """One supervisor on the simulated exchange."""

    def __init__(self, folder: Path, workers: int, start_method: str) -> None:
        self._run_dir = folder / "run"
        config = folder / "foxtrot.toml"
        text = CONFIGURATION.format(run_dir=self._run_dir, start_method=start_method)
        config.write_text(text + "".join(CONNECTION.format(number=number) for number in range(workers)))
        self._log = (folder / "log").open("wb")
        program = Path(sys.executable).with_name("foxtrot-supervisor")
        self.process = subprocess.Popen(
            [str(program), "start", "-c", str(config), "--log-format", "json", "--log-level", "error"],
            stderr=self._log,
            stdout=self._log,
        )
        self.outside = psutil.Process(self.process.pid)
        self._client: ControlClient | None = None

    def wait_running(self) -> None:
        """Everything serves."""

        def look() -> bool:
            assert self.process.poll() is None, "the supervisor has ended"
            try:
                self._client = self._client or ControlClient(str(self._run_dir))
            except NotRunning:
                return False
            return str(self.status()["supervisor"]["state"]) == "running"

        _wait(look, "everything to run")

    def status(self) -> dict[str, Any]:
        assert self._client is not None
        return self._client.request(StatusRequest(fresh=True), LIMIT_S).data

    def worker(self, name: str) -> dict[str, Any]:
        return next(dict(worker) for worker in self.status()["workers"] if worker["name"] == name)

    def kill(self, name: str) -> float:
        """SIGKILL, then wait for the replacement to serve; seconds it took."""
        before = self.worker(name)
        started = time.monotonic()
        os.kill(before["pid"], signal.SIGKILL)

        def replaced() -> bool:
            now = self.worker(name)
            return now["incarnation"] > before["incarnation"] and now["state"] == "RUNNING"

        _wait(replaced, f"the replacement of {name}")
        return time.monotonic() - started

    def restart(self, name: str) -> float:
        """By request; seconds it took."""
        assert self._client is not None
        started = time.monotonic()
        reply = self._client.request(RestartRequest(name), LIMIT_S)
        assert not reply.error, reply.error
        return time.monotonic() - started

    def look(self) -> dict[str, int]:
        """Figures of the supervisor now."""
        children = self.outside.children(recursive=True)
        return {
            "descriptors": self.outside.num_fds(),
            "threads": self.outside.num_threads(),
            "tasks": int(self.status()["supervisor"]["tasks"]),
            "children": len(children),
            "zombies": sum(_is_zombie(child) for child in children),
            "rss_kib": self.outside.memory_info().rss // 1024,
        }

    def stop(self) -> dict[str, Any]:
        """In order; what the supervisor says of its end."""
        assert self._client is not None
        answer = self._client.request(StopRequest(), 90.0).data
        self.process.wait(LIMIT_S)
        return answer

    def close(self) -> None:
        """End it, however it stands."""
        if self._client is not None:
            self._client.close()
        self.process.kill()
        self.process.wait()
        self._log.close()


@contextmanager
def _running(workers: int, start_method: str) -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="fx-soak-") as folder:
        run = Run(Path(folder), workers, start_method)
        try:
            run.wait_running()
            yield run
        finally:
            run.close()


def soak(cycles: int, workers: int, start_method: str, say: Callable[[str], None]) -> dict[str, Any]:
    """All cycles; the report."""
    names = [f"soak-{number}.a" for number in range(workers)]
    taken: dict[str, list[float]] = {"kill": [], "restart": []}
    samples = []
    growth: dict[str, list[int]] = {}
    with _running(workers, start_method) as run:
        for name in names:  # the first of everything: modules that are imported late, buffers
            run.restart(name)
            run.kill(name)
        first = _settled(run, None)
        others = _others(run.status())
        for cycle in range(cycles):
            name = names[cycle % workers]
            way = "kill" if cycle % 2 else "restart"
            taken[way].append(run.kill(name) if way == "kill" else run.restart(name))
            samples.append(run.look())
            for other, figures in _others(run.status()).items():
                growth.setdefault(other, []).append(figures["rss_kib"])
            if (cycle + 1) % 100 == 0:
                say(f"{cycle + 1} cycles: " + ", ".join(f"{key} {value}" for key, value in samples[-1].items()))
        last = _settled(run, first)
        others_after = _others(run.status())
        end = run.stop()
    warm = [sample["rss_kib"] for sample in samples[int(cycles * WARM_UP_SHARE) :]]
    slope, error = _slope(warm)
    return {
        "cycles": cycles,
        "workers": workers,
        "start_method": start_method,
        "first": first,
        "last": last,
        "highest": {key: max(sample[key] for sample in samples) for key in first},
        "rss_slope_kib_per_1000_cycles": round(slope * 1000, 1),
        "rss_slope_error_kib_per_1000_cycles": round(error * 1000, 1),
        "others_slope_kib_per_1000_cycles": {
            name: round(_slope(values[int(cycles * WARM_UP_SHARE) :])[0] * 1000, 1) for name, values in growth.items()
        },
        "others_before": others,
        "others_after": others_after,
        "kill_to_running_ms": _milliseconds(taken["kill"]),
        "restart_ms": _milliseconds(taken["restart"]),
        "exit_code": end["exit_code"],
        "audit_clean": end["audit"]["clean"],
    }


def verdict(report: dict[str, Any], slope_kib_max: float) -> list[str]:
    """What has grown, or was not clean; empty is good."""
    first, last = report["first"], report["last"]
    wrong = [f"{key}: {first[key]} at the start, {last[key]} at the end" for key in FIGURES if last[key] > first[key]]
    slope, error = report["rss_slope_kib_per_1000_cycles"], report["rss_slope_error_kib_per_1000_cycles"]
    if slope - 2 * error > slope_kib_max:
        wrong.append(f"memory grows by {slope} ± {error} KiB in 1,000 cycles")
    if report["exit_code"] != 0 or not report["audit_clean"]:
        wrong.append(f"exit code {report['exit_code']}, audit clean: {report['audit_clean']}")
    return wrong


def _wait(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {LIMIT_S:g} s in vain for {what}")
        time.sleep(POLL_S)


def _settled(run: Run, wanted: dict[str, int] | None) -> dict[str, int]:
    """The figures, once they are no more than `wanted` (or have stayed the same for a while)."""
    deadline = time.monotonic() + SETTLE_S
    before = run.look()
    same_since = time.monotonic()
    while time.monotonic() < deadline:
        if wanted is not None and all(before[key] <= wanted[key] for key in FIGURES):
            break
        if wanted is None and time.monotonic() - same_since > 1.0:
            break
        time.sleep(0.05)
        now = run.look()
        if any(now[key] != before[key] for key in FIGURES):
            same_since = time.monotonic()
        before = now
    return before


def _others(status: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Memory and descriptors of what was never restarted.

    The engine's and the simulated exchange's memory also grows with events, until what they remember of those is full.
    """
    found = {"engine": status["engine"], "simulator": status["simulators"][0]}
    if status["nursery"]:
        found["nursery"] = status["nursery"]
    return {
        name: {"rss_kib": (child["rss_bytes"] or 0) // 1024, "descriptors": child["open_fds"]}
        for name, child in found.items()
    }


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _slope(values: list[int]) -> tuple[float, float]:
    """Least squares: growth for each step, and its standard error."""
    count = len(values)
    if count < 3:
        return 0.0, 0.0
    middle, mean = (count - 1) / 2, statistics.fmean(values)
    spread = sum((index - middle) ** 2 for index in range(count))
    slope = sum((index - middle) * (value - mean) for index, value in enumerate(values)) / spread
    residual = sum((value - mean - slope * (index - middle)) ** 2 for index, value in enumerate(values))
    return slope, math.sqrt(residual / (count - 2) / spread)


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    in_order = sorted(seconds)
    return {
        "median": round(statistics.median(in_order) * 1000, 1),
        "p99": round(in_order[min(len(in_order) - 1, int(len(in_order) * 0.99))] * 1000, 1),
        "highest": round(in_order[-1] * 1000, 1),
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{report['cycles']} cycles, {report['workers']} workers, start_method {report['start_method']}")
    print(f"{'supervisor':<14}{'start':>10}{'end':>10}{'highest':>10}")
    for key in (*FIGURES, "rss_kib"):
        print(f"{key:<14}{report['first'][key]:>10}{report['last'][key]:>10}{report['highest'][key]:>10}")
    slope, error = report["rss_slope_kib_per_1000_cycles"], report["rss_slope_error_kib_per_1000_cycles"]
    print(f"memory slope after warming up: {slope} ± {error} KiB in 1,000 cycles")
    for name, before in report["others_before"].items():
        after = report["others_after"][name]
        print(
            f"{name}: {before['rss_kib']} -> {after['rss_kib']} KiB"
            f" (slope {report['others_slope_kib_per_1000_cycles'][name]} KiB in 1,000 cycles),"
            f" {before['descriptors']} -> {after['descriptors']} descriptors"
        )
    for key, text in (("kill_to_running_ms", "SIGKILL to RUNNING"), ("restart_ms", "restart request")):
        print(f"{text}: " + ", ".join(f"{name} {value} ms" for name, value in report[key].items()))
    print(f"exit code {report['exit_code']}, audit clean: {report['audit_clean']}")


def main() -> int:
    """Run it; exit status 0 if nothing has grown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--start-method", choices=("auto", "nursery", "spawn"), default="auto")
    parser.add_argument("--slope-kib-max", type=float, default=256.0, help="growth allowed in 1,000 cycles, KiB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = soak(
        options.cycles, options.workers, options.start_method, lambda text: print(text, file=sys.stderr, flush=True)
    )
    wrong = verdict(report, options.slope_kib_max)
    if options.json:
        print(json.dumps({**report, "wrong": wrong}))
    else:
        _print(report)
        for line in wrong:
            print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
