"""A supervised run whose deliveries are judged: conditions to wait for, and the account at the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from foxtrot_protocol.control import StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.recorder import Nap, handlers_module
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun, Trouble
from foxtrot_supervisor.chaos.rules.delivery_judge import (
    DeliveryAccount,
    Promises,
    account_for,
    judge_delivery,
    possible_promises,
)
from foxtrot_supervisor.chaos.rules.kill_plan import Strike, plan_for_kills
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.event_stream import is_running

__all__ = [
    "CAUGHT_UP_BYTES",
    "HEALED_S",
    "LOOK_S",
    "MEMORY_S",
    "QUIET_S",
    "RECOVERY_S",
    "RINGS_S",
    "SETTINGS",
    "SLACK_MIB",
    "START_S",
    "STOP_S",
    "DeliveryRun",
    "flows",
    "rings_have_room",
    "serves",
]

START_S: Final = 30.0

RECOVERY_S: Final = 15.0

STOP_S: Final = 30.0

LOOK_S: Final = 0.01
"""Time between two looks at the status."""

MEMORY_S: Final = 0.25
"""Time between two looks at the memory of every process."""

SLACK_MIB: Final = 32.0
"""By how much a process may grow beside the rings that it maps: caches, buffers of sockets, its allocator."""

CAUGHT_UP_BYTES: Final = 256 * 1024
"""An engine has caught up when no ring holds more."""

RINGS_S: Final = 5.0
"""After the last blow: how long the rings of dead workers may stand."""

QUIET_S: Final = 0.5

HEALED_S: Final = 20.0
"""After the last blow: how long what is asked for by REST may take."""

SETTINGS: Final[dict[str, object]] = {
    "heartbeat_s": 0.1,
    "late_s": 10.0,
    "hung_s": 30.0,
    "stop_ask_s": 10.0,
    "shutdown_s": 30.0,
    # the next incarnation must follow every death at once
    "restart_intensity": 1_000_000,
    "backoff_s": 0.0,
    "backoff_max_s": 0.0,
    "backoff_jitter": 0.0,
}
"""Of the supervisors under test. An engine that is stopped on purpose is not to be taken for a hung one."""


class DeliveryRun:
    """One supervisor whose handler writes everything down; close it in any case."""

    def __init__(
        self,
        ground: Ground,
        connections: Mapping[str, str | Sequence[str]],
        options: ChaosOptions,
        strikes: Sequence[Strike] = (),
        *,
        nap: Nap = Nap(),  # noqa: B008 - frozen
        ring: dict[str, object] | None = None,
        stale_after_s: float | None = None,
        shard_symbols: int | None = None,
        channels: Sequence[str] = (),
        settings: Mapping[str, object] = {},
    ) -> None:
        self._ground = ground
        self._patience = options.patience
        self._twins = options.redundancy > 1
        self._rows = ground.folder / "handled"
        (ground.folder / "chaos_handlers.py").write_text(handlers_module(str(self._rows), nap), encoding="utf-8")
        self.workers = [f"{name}.{side}" for name in connections for side in "ab"[: options.redundancy]]
        self.ring_mib = float(str((ring or {}).get("size_mib", 4)))
        self.run: SupervisedRun = ground.start(
            plan_for_kills(strikes),
            connections,
            {**SETTINGS, "start_method": options.start_method, **settings},
            of_each={
                "channels": list(channels) or ["trade", ground.venue.quotes, "book"],
                "redundancy": options.redundancy,
                "backfill": options.backfill,
                "stale_after_s": stale_after_s or 10.0,
                **({} if shard_symbols is None else {"shard_symbols": shard_symbols}),
            },
            tables={
                "engine": {
                    "handlers": ["chaos_handlers:setup"],
                    "preload": options.engine_kills > 0 or options.splits > 0,
                    "numbers": "text",  # checksums are computed over the digits
                },
                "ring": ring or {"size_mib": 4},
            },
            follow_events=False,
        )
        self._client: ControlClient | None = None
        self._memory_at = 0.0
        self.memory: dict[str, dict[str, float]] = {}
        """By kind of process: RSS at the start, the most of any, and PSS the same, MiB."""
        self._first_rss: dict[int, float] = {}

    # ---- looking

    def status(self) -> dict[str, Any]:
        """What the supervisor tells; raises `Trouble`."""
        try:
            if self._client is None:
                self._client = ControlClient(str(self.run.run_dir))
            reply = self._client.request(StatusRequest(fresh=True), 10.0)
        except (NotRunning, MalformedMessage, OSError) as error:
            self._client = None
            raise Trouble(f"the supervisor does not answer: {error}") from None
        return reply.data

    def wait(self, condition: Callable[[dict[str, Any]], object], limit_s: float, what: str) -> dict[str, Any]:
        """The first status for which `condition` holds; raises `Trouble`."""
        deadline = time.monotonic() + limit_s * self._patience
        while True:
            status = self.status()
            self._look_at_memory(status)
            self.run.log.read()
            if condition(status):
                return status
            if time.monotonic() >= deadline:
                states = {each["name"]: each["state"] for each in [status["engine"], *status["workers"]]}
                raise Trouble(f"waited {limit_s:.1f} s in vain for {what}: {states}")
            time.sleep(LOOK_S)

    def all_serve(self) -> dict[str, Any]:
        """Wait until every worker and the engine serve."""
        deadline = time.monotonic() + START_S
        while not is_running(str(self.run.run_dir)) and time.monotonic() < deadline:
            if self.run.process.poll() is not None:
                raise Trouble(f"the supervisor ended, exit code {self.run.process.returncode}")
            time.sleep(LOOK_S)
        return self.wait(
            lambda status: serves(status["engine"]) and all(map(flows, status["workers"])), START_S, "all to serve"
        )

    def handled(self) -> int:
        """Rows written down so far."""
        return self._rows.stat().st_size if self._rows.exists() else 0

    def wait_for_events(self, limit_s: float = RECOVERY_S) -> None:
        """Until handlers are given something that they were not given before."""
        before = self.handled()
        self.wait(lambda _: self.handled() > before, limit_s, "events at the handlers")

    def _look_at_memory(self, status: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self._memory_at < MEMORY_S:
            return
        self._memory_at = now
        told = [("engine", status["engine"]), *(("worker", each) for each in status["workers"])]
        pids = [(kind, each["pid"]) for kind, each in told if each["pid"] is not None and serves(each)]
        for kind, pid in [("supervisor", self.run.process.pid), *pids]:
            found = _memory_mib(pid)
            if found is None:
                continue
            rss, pss = found
            first = self._first_rss.setdefault(pid, rss)
            most = self.memory.setdefault(kind, {"rss_max": 0.0, "pss_max": 0.0, "growth_max": 0.0})
            most["rss_max"] = max(most["rss_max"], round(rss, 1))
            most["pss_max"] = max(most["pss_max"], round(pss, 1))
            most["growth_max"] = max(most["growth_max"], round(rss - first, 1))

    # ---- the end

    def finish(self, promises: Promises, *, healed: bool) -> tuple[DeliveryAccount, list[str], dict[str, Any]]:
        """Let what is on its way arrive, stop everything, judge: the account, what was broken, the last status."""
        if healed:
            self.wait(_all_healed, HEALED_S, "what was asked for by REST")
        broken = []
        try:
            self.wait(_dead_rings_are_read, RINGS_S, "the rings of the dead to be read")
        except Trouble as trouble:
            broken.append(str(trouble))
        time.sleep(QUIET_S)
        self.wait_for_events()
        last = self.status()
        self._drop_client()
        self.run.signal(signal.SIGTERM)
        if not self.run.ended(STOP_S * self._patience):
            raise Trouble("the supervisor does not end")
        if self.run.process.returncode != 0:
            broken.append(f"the stop gave exit code {self.run.process.returncode}")
        ledger, venue = self._ground.ended_ledger(), self._ground.venue
        account = account_for(self._rows.read_bytes(), ledger, venue, twins=self._twins)
        broken += judge_delivery(account, possible_promises(promises, venue))
        if failed := last["engine"]["handler_errors_total"]:
            broken.append(f"a handler of the test has failed {failed} times")
        if violated := self.run.log.counts["account_violated"]:
            broken.append(f"the accounts of {violated} incarnations do not add up")
        if unfenced := self.run.log.counts["fence_missing"]:
            broken.append(f"{unfenced} times the engine was not told that a worker is dead")
        return account, broken, last

    def memory_broken(self, rings: int) -> list[str]:
        """Processes that grew by more than the rings explain; `rings`: so many may be mapped at once."""
        limits = {
            "supervisor": SLACK_MIB,
            "worker": self.ring_mib + SLACK_MIB,
            "engine": self.ring_mib * rings + SLACK_MIB,
        }
        return [
            f"memory: {kind} grew by {most['growth_max']:.0f} MiB, the rings explain {limits[kind]:.0f}"
            for kind, most in self.memory.items()
            if most["growth_max"] > limits[kind]
        ]

    def close(self) -> list[str]:
        """End what is left; processes that had to be killed."""
        self._drop_client()
        return [f"left running: {orphan}" for orphan in self.run.close().found]

    def _drop_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def serves(child: dict[str, Any]) -> bool:
    """Whether this child runs, according to its part of the status."""
    return child["state"] == "RUNNING" and child["pid"] is not None


def flows(worker: dict[str, Any]) -> bool:
    """Whether it runs and every topic of its brings data: from then on it can stand in for its twin."""
    return serves(worker) and bool(worker["topics"]) and all(each["state"] == "flowing" for each in worker["topics"])


def rings_have_room(status: dict[str, Any]) -> bool:
    """Whether the rings of all workers are nearly empty."""
    return all(each["ring_used_bytes"] < CAUGHT_UP_BYTES for each in status["workers"])


def _dead_rings_are_read(status: dict[str, Any]) -> bool:
    return all(each["rings"] <= 1 for each in status["workers"])


def _all_healed(status: dict[str, Any]) -> bool:
    return not any(each["waiting"] or each["in_hand"] for each in status["backfills"])


def _memory_mib(pid: int) -> tuple[float, float] | None:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in rollup) if rest}
    except (OSError, ValueError):
        return None  # it has ended meanwhile
    return None if "Pss" not in found else (found["Rss"] / 1024.0, found["Pss"] / 1024.0)
