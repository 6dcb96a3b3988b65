"""A node that is cut off from NATS has no worker left at the end of its lease, whatever the worker does."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_supervisor.chaos.harness.cut_proxy import CutProxy
from foxtrot_supervisor.chaos.harness.process_ends import ProcessEnds
from foxtrot_supervisor.cluster.apply import applied
from foxtrot_supervisor.cluster.desired import Plan
from foxtrot_supervisor.cluster.model import Desired
from foxtrot_supervisor.config.cluster import ClusterConfig
from tests.support.cluster_nodes import Node, in_store
from tests.support.command_line import Simulated
from tests.support.store_servers import NATS_SERVER, NatsServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")

LEASE_S = 2.0

BUSY = 3.0
"""Times the lease: what a busy machine may take, and far less than a worker has that is stopped without a limit."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    folder = tmp_path / "s"
    folder.mkdir()
    with NatsServer(folder) as server:
        yield server


def test_even_a_worker_that_hears_nothing_has_ended_when_the_lease_is_over(tmp_path: Path, server: NatsServer) -> None:
    with contextlib.closing(Simulated(tmp_path)) as exchange, CutProxy(server.port) as proxy:
        table = {"exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT"], "url": exchange.url}
        shard = Desired(shard="one.a", connection="one", side="a", exchange="sim", table=table)
        cluster = ClusterConfig(servers=[server.url], ack_wait_s=1.0, lease_s=LEASE_S)
        plan = Plan(added=["one.a"], changed={}, removed=[], kept=[])
        in_store(server.url, lambda store, client: applied(store, client, cluster, plan, {"one.a": shard}))
        with contextlib.closing(Node(tmp_path, "n1", proxy.url)) as node:
            (worker,) = wait_until(node.workers, 60, "its worker").items()
            with ProcessEnds([worker[1]]) as ends:
                os.kill(worker[1], signal.SIGSTOP)
                cut_at = time.monotonic()
                proxy.cut("stalled")
                wait_until(lambda: ends.wait(0.05), 60, "the end of the worker")
                assert ends.last is not None
                assert ends.last - cut_at < LEASE_S * BUSY
            assert "assignment_expired" in node.err.read_text()
            assert node.workers() == {}
            proxy.heal()
            wait_until(node.workers, 60, "its worker after the return")
