"""What campaigns on a cluster share: nodes with twins under load, an engine elsewhere, and when all is well."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from foxtrot_supervisor.chaos.campaigns.delivery_run import flows
from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, Host
from foxtrot_supervisor.chaos.harness.configuration import configuration
from foxtrot_supervisor.chaos.harness.cut_proxy import CutProxy
from foxtrot_supervisor.chaos.harness.engine_pair import EnginePair, status_of
from foxtrot_supervisor.chaos.harness.holder_log import HolderLog
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM, Trouble
from foxtrot_supervisor.chaos.rules.cuts import held_twice
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions
from foxtrot_supervisor.chaos.rules.takeovers import Takeover

__all__ = ["NODES", "TAKEOVER_S", "ClusterRun"]

NODES: Final = 3
"""With a third one the shards of a killed node find a host that is not their twin's."""

ACK_WAIT_S: Final = 2.0

SETTLED_S: Final = 120.0
"""Longest time until twins are apart again after a node was started."""

TAKEOVER_S: Final = 30.0
"""Longest wait for service elsewhere; what is promised is less."""

APPLY_S: Final = 60.0

LOOK_S: Final = 0.1


class ClusterRun:
    """Use it as a context manager.

    Args:
        ground: NATS servers, exchange, folder.
        options: of the campaign.
        tables: of the configuration, beside those that every campaign has.
        cuttable: whether nodes reach NATS through proxies of their own.
    """

    def __init__(
        self,
        ground: ClusterGround,
        options: ChaosOptions,
        tables: Mapping[str, Mapping[str, object]],
        *,
        cuttable: bool = False,
    ) -> None:
        self.ground = ground
        self.options = options
        self.random = random.Random(options.seed)
        self.nodes: dict[str, Host] = {}
        self.proxies: dict[str, list[CutProxy]] = {}
        """Those of each node, one for each server; none unless the nodes can be cut off."""
        self.holders = HolderLog([server.url for server in ground.nats])
        self._tables = tables
        self._cuttable = cuttable
        self._shards = [f"load{number}.{side}" for number in range(options.workers) for side in "ab"]
        self._stack = ExitStack()

    def __enter__(self) -> ClusterRun:
        self._stack.enter_context(self.holders)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> EnginePair:
        """Apply the shards, start engine and nodes, wait until all is well; return the engine, on one host or two."""
        ground = self.ground
        config = self._configured()
        self._apply(config)
        standby = bool(self.options.engine_host_kills)
        engine = EnginePair(ground, config, standby=standby, patience=self.options.patience)
        for number in range(NODES):
            name = f"n{number + 1}"
            words = ["node", "-c", str(config), "--name", name, "--host", name]
            if self._cuttable:
                proxies = [self._stack.enter_context(CutProxy(server.port)) for server in ground.nats]
                self.proxies[name] = proxies
                words += ["--cluster", ",".join(proxy.url for proxy in proxies)]
            self.nodes[name] = ground.host(name, words)
        self.settle()
        ground.wait_for_rows()
        return engine

    def settle(self) -> None:
        """Wait until the next blow can hit one side of each twin only. Raises `Trouble`."""
        why = ""

        def settled() -> bool:
            nonlocal why
            with self.holders.lock:
                why = self.holders.holdings.unsettled(self._shards)
            why = why or self._not_flowing()
            return not why

        self.wait(settled, SETTLED_S, lambda: f"twins to be apart again: {why}")

    def status(self, host: Host) -> dict[str, Any]:
        """Return the status of a host. Raises `Trouble`."""
        return status_of(host)

    def unseen(self, engine: Host) -> list[str]:
        """Return what the status of the engine's host lacks of the cluster's workers, as text for people."""
        shown = {(row["shard"], row["node"]) for row in self.status(engine)["remote_workers"] if row["events_total"]}
        with self.holders.lock:
            held = {(shard, holder.node) for shard, holder in self.holders.holdings.latest.items()}
        return [f"the engine's status does not show {shard} on {node}" for shard, node in sorted(held - shown)]

    def wait(self, condition: Callable[[], bool], limit_s: float, what: Callable[[], str]) -> None:
        """Wait for a condition; raises `Trouble` that names `what` was waited for."""
        deadline = time.monotonic() + limit_s * self.options.patience
        while not condition():
            if time.monotonic() >= deadline:
                raise Trouble(f"waited in vain for {what()}")
            time.sleep(LOOK_S)

    def a_holder(self) -> tuple[str, list[str], str]:
        """Return a node that holds shards, by chance, with these and its present run."""
        holdings = self.holders.holdings
        with self.holders.lock:
            name = self.random.choice([name for name in sorted(self.nodes) if holdings.held_by(name)])
            shards = holdings.held_by(name)
            return name, shards, holdings.latest[shards[0]].instance

    def takeovers(self, shards: list[str], instance: str, since: float) -> list[Takeover]:
        """Return what became of the shards of a run since then, seconds since 1970."""
        with self.holders.lock:
            return [self.holders.holdings.takeover(shard, instance, since) for shard in shards]

    def _configured(self) -> Path:
        ground, venue = self.ground, self.ground.venue
        rows = [
            {
                "name": f"load{number}",
                "exchange": venue.exchange,
                "channels": ["trade", venue.quotes],
                "symbols": [venue.spelled(symbol)],
                "url": ground.exchange.url + venue.path,
                "rest_url": ground.exchange.rest_url,
                "redundancy": 2,
            }
            for number, symbol in enumerate(ground.symbols)
        ]
        cluster = {
            "servers": [server.url for server in ground.nats],
            "ack_wait_s": ACK_WAIT_S,
            "replicas": len(ground.nats),
        }
        tables = {
            **self._tables,
            "cluster": {**cluster, **self._tables.get("cluster", {})},
            "supervisor": {"start_method": self.options.start_method},
        }
        path = ground.folder / "foxtrot.toml"
        path.write_text(configuration(tables, rows), encoding="utf-8")
        return path

    def _apply(self, config: Path) -> None:
        """Apply the shards; several servers first have to elect a leader, so it is tried again."""
        command = [*PROGRAM, "cluster", "apply", "-c", str(config)]
        limit_s = APPLY_S * self.options.patience
        why = ""

        def applied() -> bool:
            nonlocal why
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
            except subprocess.TimeoutExpired:
                return False
            why = done.stderr.strip()
            return done.returncode == 0

        self.wait(applied, limit_s, lambda: f"the shards to be applied: {why}")

    def _not_flowing(self) -> str:
        """Return why one side could not stand in for the other yet; "" if all can."""
        living: dict[str, list[str]] = {}
        for name, node in self.nodes.items():
            try:
                status = self.status(node)
            except Trouble as trouble:
                return f"{name}: {trouble}"
            if idle := [worker["name"] for worker in status["workers"] if not flows(worker)]:
                return f"{', '.join(idle)} bring no data yet"
            living[name] = [worker["name"] for worker in status["workers"]]
        if twice := held_twice(living):
            return f"two nodes serve one shard: {', '.join(twice)}"
        running = sum(len(names) for names in living.values())
        return "" if running == len(self._shards) else f"{running} workers for {len(self._shards)} shards"
