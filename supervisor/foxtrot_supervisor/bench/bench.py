"""`foxtrot-supervisor bench`: measure the product on this machine, beside a baseline of the obvious build.

Every measurement runs whole processes: a load server, a worker that receives over a real socket, an engine
that runs a handler. Product and baseline take turns, so that noise of the machine hits both. What is measured
and how to read it: docs/benchmarks.md.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol import compiled, endpoints
from foxtrot_protocol.compiled import FORM_VARIABLE
from foxtrot_protocol.spec import FeedSettings, SimulatorSettings
from foxtrot_supervisor.bench.chain import (
    BOOT,
    BenchFailed,
    Parent,
    Record,
    cpu_seconds,
    footprint,
    http_get,
)
from foxtrot_supervisor.bench.load import Load
from foxtrot_supervisor.bench.parse_cost import measure_parsing, measure_venues
from foxtrot_supervisor.bench.recording import RECORDER, measure_recording, recorder_settings
from foxtrot_supervisor.bench.statistics import (
    LatencyFigures,
    RunResult,
    Spread,
    behind,
    latency_figures,
    latency_spread,
    process_figures,
    ratio_of,
    spread_of,
    throughput_figures,
)
from foxtrot_supervisor.bench.variants import System, throughput_with, variants_with
from foxtrot_supervisor.config.schema import EngineConfig, RecorderConfig, RingConfig
from foxtrot_supervisor.core.targets import engine_settings
from foxtrot_supervisor.engine.delivery import positions as position_file

__all__ = ["PARTS", "QUICK", "BenchFailed", "BenchOptions", "System", "run_bench"]

Part: TypeAlias = Literal["trades", "mixed", "latency", "start", "ring", "recording", "parse"]

PARTS: tuple[Part, ...] = ("trades", "mixed", "latency", "start", "ring", "recording", "parse")
"""What `only` may name; start also measures stop and memory, which every other run measures as well."""

WITHOUT_BEING_ASKED: tuple[Part, ...] = ("trades", "mixed", "latency", "start")
"""What is measured if `only` names nothing."""

RING_RATE_PER_S = 10_000
"""Pace at which the product is compared with itself without rings."""

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
SEED = 1
CHANNELS: dict[str, list[str]] = {"trades": ["agg_trade"], "mixed": ["agg_trade", "quote", "book"]}

RATES_PER_S = (1_000, 10_000, 50_000)
BASELINE_SHARE = 10
"""Others than the product get this part of a given number of events: they then take about as long as it with all."""

FIRST_EVENTS = 50_000
"""Of a first run, which is thrown away and tells how many events the others take in the time they have."""

EVENTS_MAX = 10_000_000

SETTLE_S = 0.15
"""Processes that used no CPU (10 ms at least) for so long have nothing left to do from their start."""
SETTLE_LIMIT_S = 5.0

JOB_VARIABLE = "FOXTROT_BENCH_JOB"

FOXTROT: dict[str, str] = {
    "boot": BOOT,
    "worker": "foxtrot_workers.feed.worker:run",
    "engine": "foxtrot_supervisor.engine.process:run",
    "handler": "foxtrot_workers.benchmark.counting_handler:setup",
}
TARGETS: dict[System, dict[str, str]] = {
    "foxtrot": FOXTROT,
    "pure": FOXTROT,
    "baseline": {
        "boot": "foxtrot_workers.benchmark.baseline:boot_without_uvloop",
        "worker": "foxtrot_workers.benchmark.baseline:run_worker",
        "engine": "foxtrot_workers.benchmark.baseline:run_engine",
        "handler": "foxtrot_workers.benchmark.counting_handler:setup_for_dicts",
    },
    "ringless": {
        "boot": BOOT,
        "worker": "foxtrot_workers.benchmark.ringless:run_worker",
        "engine": "foxtrot_supervisor.bench.ringless_engine:run",
        "handler": "foxtrot_workers.benchmark.counting_handler:setup",
    },
    # frames are kept in their ring; and the recorder reads it
    "framed": FOXTROT,
    "recorded": FOXTROT,
    # one process each: it runs the handler itself
    "floor": {"boot": BOOT, "worker": "foxtrot_workers.benchmark.bare_loop:run"},
    "cryptofeed": {"boot": BOOT, "worker": "foxtrot_workers.benchmark.cryptofeed_peer:run"},
}
LOAD_SERVER = "foxtrot_workers.benchmark.load_server:run"

LIBRARIES = ("picows", "websockets", "msgspec", "msgpack", "pyzmq", "uvloop")


class BenchOptions(Struct, frozen=True, kw_only=True):
    """`events`: of one throughput run of the product; None: as many as take about `run_s` seconds.

    `run_s` is also how long a latency run lasts. `only`: of `PARTS`; none: all `WITHOUT_BEING_ASKED`. `peers`: other
    projects that are measured, too. `recordings`: files whose frames are parsed, instead of made ones.
    """

    events: int | None = None
    run_s: float = 2.5
    repeats: int = 3
    only: tuple[str, ...] = ()
    peers: tuple[System, ...] = ()
    recordings: tuple[str, ...] = ()


QUICK = BenchOptions(run_s=1.0, repeats=1)
"""For a first look."""


class Progress(Protocol):
    """Takes a line about what is measured, and how many of how many measurements of its kind are done."""

    def __call__(self, text: str = "", done: int = 0, total: int = 0) -> None: ...


def run_bench(options: BenchOptions, progress: Progress = lambda text="", done=0, total=0: None) -> dict[str, Any]:
    """Measure; returns the report (structs and plain data, to be encoded as one JSON object).

    `progress` receives a line about what is being measured.
    Call from the main thread. Raises `BenchFailed`, or OSError if the machine cannot start the processes.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="foxtrot-bench-") as run_dir:
        report = asyncio.run(_measure_all(options, run_dir, progress))
    report["duration_s"] = round(time.monotonic() - started, 1)
    return report


async def _measure_all(options: BenchOptions, run_dir: str, progress: Progress) -> dict[str, Any]:
    parts = options.only or WITHOUT_BEING_ASKED
    report: dict[str, Any] = {"machine": machine_facts(), "options": msgspec.to_builtins(options)}
    results: dict[System, list[RunResult]] = {"foxtrot": [], "baseline": []}
    if "parse" in parts:
        progress("parsing")
        report["parse"] = measure_parsing(options.recordings)
        if not options.recordings:
            progress("parsing, each exchange")
            report["venues"] = measure_venues()
        if parts == ("parse",):
            return {**report, "processes": {}}
    async with Parent(run_dir) as parent:
        settings = SimulatorSettings(symbols=SYMBOLS, seed=SEED)
        async with parent.child("load", "simulator", LOAD_SERVER, settings) as server:
            bench = Bench(parent, server.info, server.child.pid, run_dir, results, progress)
            throughput = {kind: await bench.throughput(kind, options) for kind in ("trades", "mixed") if kind in parts}
            latency = await bench.latency(options) if "latency" in parts else {}
            ring = await bench.ring(options) if "ring" in parts else {}
            if "recording" in parts:
                report["recording"] = await measure_recording(bench, options.repeats, options.run_s, options.events)
            if not any(results.values()) and "recording" not in report:
                await bench.start(options)
    if throughput:
        report["throughput"] = throughput
    if latency:
        report["latency"] = latency
    if ring:
        report["ring"] = ring
    report["processes"] = {system: process_figures(runs) for system, runs in results.items() if runs}
    return report


class Bench:
    """Runs chains beside one load server."""

    def __init__(
        self,
        parent: Parent,
        server: dict[str, str],
        server_pid: int,
        run_dir: str,
        results: dict[System, list[RunResult]],
        progress: Progress,
    ) -> None:
        self._parent = parent
        self._server = server
        self._server_pid = server_pid
        self._run_dir = run_dir
        self._results = results
        self._progress = progress
        self._speeds: dict[tuple[System, str], float] = {}
        self.recordings = os.path.join(run_dir, "recordings")
        """Where the recorder writes; the frames rings are in the folder beside it."""

    async def throughput(self, kind: str, options: BenchOptions) -> dict[str, Any]:
        """All systems in turn, as fast as they take it."""
        variants = throughput_with(options.peers)
        runs: dict[str, list[RunResult]] = {variant.name: [] for variant in variants}
        events = {each.system: await self._events(each.system, kind, options) for each in variants}
        for repeat in range(options.repeats):
            for at, variant in enumerate(variants):
                text = f"throughput, {kind}, {variant.name}, {repeat + 1} of {options.repeats}"
                self._progress(text, repeat * len(variants) + at, options.repeats * len(variants))
                load = Load(kind, events[variant.system])
                result = await (
                    self.run(variant.system, load, **variant.engine)
                    if variant.engine
                    else self._counted(variant.system, load)
                )
                runs[variant.name].append(result)
        for variant in variants:
            if not variant.engine:
                self._speeds[variant.system, kind] = max(run.events_per_s for run in runs[variant.name])
        return {
            **{name: throughput_figures(results) for name, results in runs.items()},
            "ratio": _ratio(runs, "foxtrot", "baseline"),
            "ratio to floor": _ratio(runs, "foxtrot", "floor"),
            **{f"ratio to {peer}": _ratio(runs, "foxtrot", peer) for peer in options.peers},
            **{f"ratio to {peer}, pure": _ratio(runs, "pure", peer) for peer in options.peers},
        }

    async def latency(self, options: BenchOptions) -> dict[str, Any]:
        """All variants in turn at each pace, as far as they can take it."""
        figures: dict[str, Any] = {}
        variants = variants_with(options.peers)
        able_per_s = {variant.system: await self._speed(variant.system, "trades") for variant in variants}
        for rate in RATES_PER_S:
            load = Load("trades", int(rate * options.run_s), rate)
            runs: dict[str, list[RunResult]] = {}
            taking_part = [variant for variant in variants if able_per_s[variant.system] >= rate]
            for repeat in range(options.repeats):
                for at, variant in enumerate(taking_part):
                    text = f"latency, {rate:,} events/s, {variant.name}, {repeat + 1} of {options.repeats}"
                    self._progress(text, repeat * len(taking_part) + at, options.repeats * len(taking_part))
                    result = await (
                        self.run(variant.system, load, **variant.engine)
                        if variant.engine
                        else self._counted(variant.system, load)
                    )
                    runs.setdefault(variant.name, []).append(result)
            figures[str(rate)] = {
                variant.name: latency_spread(runs[variant.name], rate)
                if variant in taking_part
                else behind(able_per_s[variant.system])
                for variant in variants
            }
        return figures

    async def ring(self, options: BenchOptions) -> dict[str, Any]:
        """The product with and without rings, in turn, at one pace."""
        systems: tuple[System, ...] = ("foxtrot", "ringless")
        load = Load("trades", int(RING_RATE_PER_S * options.run_s), RING_RATE_PER_S)
        runs: dict[str, list[LatencyFigures]] = {system: [] for system in systems}
        for repeat in range(options.repeats):
            for at, system in enumerate(systems):
                text = f"latency with and without ring, {system}, {repeat + 1} of {options.repeats}"
                self._progress(text, repeat * len(systems) + at, options.repeats * len(systems))
                result = await (self._counted(system, load) if system == "foxtrot" else self.run(system, load))
                runs[system].append(latency_figures(result, RING_RATE_PER_S))
        p99_us = {system: [figures.p99_us or 0.0 for figures in each] for system, each in runs.items()}
        p50_us = {system: [figures.p50_us or 0.0 for figures in each] for system, each in runs.items()}
        return {
            "rate_per_s": RING_RATE_PER_S,
            "p50_us": {system: spread_of(each, 1) for system, each in p50_us.items()},
            "p99_us": {system: spread_of(each, 1) for system, each in p99_us.items()},
            "p99_ratio": ratio_of(*p99_us.values()),
        }

    def told(self, text: str, done: int, total: int) -> None:
        """Report progress."""
        self._progress(text, done, total)

    async def start(self, options: BenchOptions) -> None:
        """Start and stop, with hardly any load."""
        for repeat in range(options.repeats):
            for at, system in enumerate(self._results):
                done, total = repeat * len(self._results) + at, options.repeats * len(self._results)
                self._progress(f"start and stop, {system}", done, total)
                await self._counted(system, Load("trades", 1000))

    async def _events(self, system: System, kind: str, options: BenchOptions) -> int:
        share = _share(system)
        if options.events is not None:
            return max(1, options.events // share)
        return max(FIRST_EVENTS // share, min(EVENTS_MAX, int(await self._speed(system, kind) * options.run_s)))

    async def _speed(self, system: System, kind: str) -> float:
        """Events a second that this system has taken at best, by a short run if there was none."""
        speed = self._speeds.get((system, kind))
        if speed is None:
            self._progress(f"first look, {kind}, {system}")
            speed = (await self.run(system, Load(kind, FIRST_EVENTS // _share(system)))).events_per_s
            self._speeds[system, kind] = speed
        return speed

    async def _counted(self, system: System, load: Load) -> RunResult:
        result = await self.run(system, load)
        self._results.setdefault(system, []).append(result)
        return result

    async def run(self, system: System, load: Load, **engine_keys: Any) -> RunResult:
        """Start a chain, send `load` through it, stop it; `engine_keys`: of ``[engine]``."""
        # the floor subscribes to nothing, so nothing comes before the load
        primers = len(SYMBOLS) if load.kind == "mixed" and system != "floor" else 0
        samples_path = f"{self._run_dir}/samples" if load.rate_per_s else ""
        job = {
            "report_path": self._parent.report_path,
            "events": load.events,
            "primers": primers,
            "samples_path": samples_path,
        }
        # each run sends the same identifiers: an engine that knew those of the run before would take them for copies
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._run_dir, position_file.FILE_NAME))
        form = "pure" if system == "pure" else os.environ.get(FORM_VARIABLE, "")
        with _environment(JOB_VARIABLE, msgspec.json.encode(job).decode()), _environment(FORM_VARIABLE, form):
            async with contextlib.AsyncExitStack() as stack:
                children = await self._chain(stack, system, load, engine_keys)
                if primers:
                    await self._parent.report("primed")
                processes = {name: record.child.pid for name, record in children.items()}
                await _settled(list(processes.values()))
                pids = {**processes, "server": self._server_pid}
                before = {name: cpu_seconds(pid) for name, pid in pids.items()}
                sending = asyncio.create_task(http_get(self._server["rest_url"], load.path))
                try:
                    await self._parent.report("first")
                    done = await self._parent.report("done")
                    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
                    await self._parent.guarded(sending, "the load server")
                finally:
                    sending.cancel()
                memory = {name: footprint(pid) for name, pid in processes.items()}
        per_million = {name: seconds * 1e6 / load.events for name, seconds in used.items()}
        return RunResult(
            events_per_s=(load.events - 1) * 1e9 / done.elapsed_ns,
            server_cpu_s_per_million=per_million.pop("server"),
            cpu_s_per_million=per_million,
            times={name: record.times for name, record in children.items()},
            memory=memory,
            latencies_ns=_read_samples(samples_path) if samples_path else [],
        )

    async def _chain(
        self, stack: contextlib.AsyncExitStack, system: System, load: Load, engine_keys: dict[str, Any]
    ) -> dict[str, Record]:
        """Start the processes of a system, the engine first; each by its part, ``worker`` and ``engine``."""
        targets, child = TARGETS[system], self._parent.child
        boot = targets["boot"]
        config = EngineConfig(handlers=[targets["handler"]] if "handler" in targets else [], **engine_keys)
        children: dict[str, Record] = {}
        if "engine" in targets:
            settings = engine_settings(config, self._run_dir, self._run_dir)
            children["engine"] = await stack.enter_async_context(
                child("engine", "engine", targets["engine"], settings, boot)
            )
        if system == "recorded":
            children["recorder"] = await stack.enter_async_context(
                child("recorder", "service", RECORDER, recorder_settings(self.recordings), boot)
            )
        children["worker"] = await stack.enter_async_context(
            child("worker", "connection", targets["worker"], self._feed(system, load, config), boot)
        )
        return children

    def _feed(self, system: System, load: Load, engine: EngineConfig) -> FeedSettings:
        ring = RingConfig()
        paced = "/stream?timeUnit=MICROSECOND" if load.rate_per_s else ""
        return FeedSettings(
            connection="bench",
            side="a",
            exchange="binance",
            channels=CHANNELS[load.kind],
            symbols=SYMBOLS,
            data_endpoint=endpoints.data_endpoint(self._run_dir, engine.transport),
            url=self._server["url"] + paced,
            rest_url=self._server["rest_url"],
            client="picows",
            ring_bytes=ring.size_mib * 2**20,
            full_wait_s=ring.full_wait_s,
            frames_ring_bytes=RecorderConfig().ring_mib * 2**20 if system in ("framed", "recorded") else 0,
            recorded=system == "recorded",
        )


def _ratio(runs: dict[str, list[RunResult]], ours: str, other: str) -> Spread:
    return ratio_of(*([run.events_per_s for run in runs[name]] for name in (ours, other)))


def _share(system: System) -> int:
    return BASELINE_SHARE if system in ("baseline", "cryptofeed") else 1


async def _settled(pids: list[int]) -> None:
    """Wait until the processes have nothing left to do from their start, such as looking up instruments."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    before = -1.0
    while time.monotonic() < deadline:
        used = sum(map(cpu_seconds, pids))
        if used == before:
            return
        before = used
        await asyncio.sleep(SETTLE_S)


# ---- facts


def machine_facts() -> dict[str, Any]:
    """What a reader needs to compare the figures with others."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_name(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "form": compiled.describe(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _cpu_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as facts:
        for line in facts:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _read_samples(path: str) -> list[int]:
    samples = array.array("q")
    with open(path, "rb") as data:
        samples.frombytes(data.read())
    os.unlink(path)
    return samples.tolist()


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Children started in the block inherit the variable."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
