"""Nodes of a cluster as a user runs them, and what stands in the buckets of their NATS server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

from foxtrot_protocol.control import StatusRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.cluster.connection import connect
from foxtrot_supervisor.cluster.overview import Overview
from foxtrot_supervisor.cluster.store import Store
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.report.metrics import families
from tests.support.command_line import Background
from tests.support.waiting import wait_until

__all__ = ["EngineHost", "Node", "in_store", "state_of", "wait_for_shards"]

T = TypeVar("T")


class Host(Background):
    """A supervisor with a run directory of its own."""

    run_dir: Path

    def status(self) -> dict[str, Any]:
        """What it answers, {} while it does not."""
        try:
            with ControlClient(str(self.run_dir)) as client:
                return client.request(StatusRequest(fresh=True), 10.0).data
        except NotRunning:
            return {}


class EngineHost(Host):
    """`engine` with a run directory of its own."""

    def __init__(self, folder: Path, url: str, *arguments: object) -> None:
        self.run_dir = folder / "engine"
        super().__init__(folder, "engine", "engine", "--cluster", url, "--run-dir", self.run_dir, *arguments)

    def states(self) -> set[str]:
        """The states of the cluster's workers, as it knows them."""
        return {row["state"] for row in self.status().get("remote_workers", ())}

    def serving(self) -> dict[str, float]:
        """By shard, whether metrics say that its worker serves; only of those whose events came."""
        status = self.status()
        if not status:
            return {}
        samples = {family.metric.name: family.samples for family in families(status, {})}
        came = {each.labels for each in samples["foxtrot_remote_worker_events_applied_total"] if each.value}
        came |= {each.labels for each in samples["foxtrot_remote_worker_events_deduplicated_total"] if each.value}
        found = {each.labels: each.value for each in samples["foxtrot_remote_worker_serving"] if each.labels in came}
        assert {node for _, _, node in found} <= {"n2"}
        return {
            f"{connection}.{worker.rpartition('.')[2][0]}": found[worker, connection, node]
            for worker, connection, node in found
        }


class Node(Host):
    """`node` with a run directory of its own."""

    def __init__(self, folder: Path, name: str, url: str, *arguments: object) -> None:
        self.name = name
        self.run_dir = folder / name
        super().__init__(
            folder, f"node-{name}", "node", "--cluster", url, "--name", name, "--host", name,
            "--run-dir", self.run_dir, "--log-format", "json", *arguments,
        )  # fmt: skip

    def kill_everything(self) -> None:
        """SIGKILL for every process of the node, as if the machine had lost its power."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()  # none of them sees the death of another
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self.process.wait(10)

    def workers(self) -> dict[str, int]:
        """Its workers that serve, with their process ids."""
        return {
            worker["name"]: worker["pid"] for worker in self.status().get("workers", ()) if worker["state"] == "RUNNING"
        }


def in_store(url: str, work: Callable[[Store, Any], Awaitable[T]]) -> T:
    """Connect to the server, and return what `work` returns."""

    async def run() -> T:
        client = await connect(ClusterConfig(servers=[url]), "test", forever=False)
        try:
            return await work(Store(client), client)
        finally:
            await client.close()

    return asyncio.run(run())


def state_of(url: str) -> Overview:
    """Return what `cluster status` shows."""
    return in_store(url, lambda store, _: store.overview(time.time()))


def wait_for_shards(url: str, holds: Callable[[dict[str, str]], bool], limit_s: float = 100.0) -> Overview:
    """Wait until the nodes of all serving shards are as `holds` says; return the state."""

    def look() -> Overview | None:
        state = state_of(url)
        nodes = {row.shard: row.node for row in state.shards if row.state == "serving"}
        return state if len(nodes) == len(state.shards) and holds(nodes) else None

    found: Overview = wait_until(look, limit_s, "the shards")
    return found
