"""Two nodes on one machine, a real nats-server between them: shards placed, taken over, handed over, and fenced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.control import AssignRequest
from foxtrot_supervisor.chaos.harness.cut_proxy import CutProxy
from foxtrot_supervisor.cli.screen.columns import CLUSTER_COLUMNS
from foxtrot_supervisor.client.control_client import ControlClient
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.cluster.names import parse_local
from foxtrot_supervisor.report.health import not_ready
from foxtrot_supervisor.report.process_rows import rows_of
from tests.integration.test_status_schema import VALIDATOR
from tests.support.cluster_nodes import EngineHost, Node, state_of, wait_for_shards
from tests.support.command_line import Run, Simulated, run_program
from tests.support.store_servers import NATS_SERVER, NatsServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")

ACK_WAIT_S = 2.0

SHARDS = ["one.a", "three.a", "tw.a", "tw.b", "two.a"]

CONFIGURATION = """
[cluster]
servers = ["URL"]
lease_s = 20.0
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "EXCHANGE"
[[connections]]
name = "two"
exchange = "sim"
channels = ["trade"]
symbols = ["ETHUSDT"]
url = "EXCHANGE"
[[connections]]
name = "three"
exchange = "sim"
channels = ["trade"]
symbols = ["ETHUSDT", "BTCUSDT"]
url = "EXCHANGE"
[[connections]]
name = "tw"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "EXCHANGE"
redundancy = 2
"""

OWN = """
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


class Place:
    """A server, an exchange, an applied configuration, and two nodes."""

    def __init__(self, folder: Path, server: NatsServer, exchange: Simulated) -> None:
        self.folder = folder
        self.server = server
        self.url = server.url
        self.config = folder / "foxtrot.toml"
        self.config.write_text(CONFIGURATION.replace("URL", server.url).replace("EXCHANGE", exchange.url))
        self.nodes: dict[str, Node] = {}

    def apply(self, *options: str) -> str:
        done = run_program("cluster", "apply", "-c", self.config, *options, limit_s=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def node(self, name: str) -> Node:
        """The node of that name, started if it does not run."""
        node = self.nodes.get(name)
        if node is None or node.process.poll() is not None:
            node = self.nodes[name] = Node(self.folder, name, self.url)
        return node

    def agent(self, node: Node) -> dict[str, Any]:
        return next((each for each in node.status().get("services", ()) if each["name"] == "agent"), {})

    def both(self) -> tuple[Node, Node]:
        """Both nodes, with the shards spread over them."""
        nodes = self.node("n1"), self.node("n2")
        wait_for_shards(self.url, _is_even)
        return nodes


def _is_even(holders: dict[str, str]) -> bool:
    """Whether nothing is left to move: two shards here, three there, and the sides of the twin apart."""
    return set(Counter(holders.values()).values()) == {2, 3} and holders["tw.a"] != holders["tw.b"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("c")
    with (
        NatsServer(tmp_path_factory.mktemp("s")) as server,
        contextlib.closing(Simulated(folder, "--rate", "200")) as exchange,
        contextlib.ExitStack() as stack,
    ):
        made = Place(folder, server, exchange)
        made.apply()
        made.node("n1")
        made.node("n2")
        stack.callback(lambda: [node.close() for node in made.nodes.values()])
        yield made


def test_shards_are_placed_with_twins_apart_and_an_apply_is_idempotent(place: Place) -> None:
    place.both()
    state = state_of(place.url)
    assert [row.shard for row in state.shards] == SHARDS
    assert state.waiting == 0
    assert all(worker.startswith(row.shard[:-2] + "_") for row in state.shards for worker in row.workers)
    assert place.apply("--dry-run") == f"{place.config}: no difference\n  5 shard(s) as they are\n"
    before = {row.shard: (row.node, row.workers) for row in state.shards}
    place.apply()
    assert {row.shard: (row.node, row.workers) for row in state_of(place.url).shards} == before
    shown = run_program("cluster", "status", "--cluster", place.url)
    assert "5 of 5 shards serve" in shown.stdout


def test_a_node_that_is_killed_as_a_whole_loses_its_shards_to_the_other(place: Place) -> None:
    first, _ = place.both()
    tokens = {row.shard: row.token for row in state_of(place.url).shards if row.node == "n1"}
    killed_at = time.monotonic()
    first.kill_everything()
    state = wait_for_shards(place.url, lambda holders: set(holders.values()) == {"n2"})
    print(f"taken over within {time.monotonic() - killed_at:.1f} s")
    assert all(row.token > tokens.get(row.shard, 0) for row in state.shards)
    assert set(place.nodes["n2"].workers()) == {worker for row in state.shards for worker in row.workers}


def test_what_a_killed_agent_held_runs_on(place: Place) -> None:
    node = place.nodes["n2"]
    wait_for_shards(place.url, lambda holders: set(holders.values()) == {"n2"})
    before, agent = node.workers(), place.agent(node)
    os.kill(agent["pid"], signal.SIGKILL)
    wait_until(lambda: place.agent(node).get("incarnation", 0) > agent["incarnation"], 60, "the next agent")
    wait_until(lambda: place.agent(node).get("counts", {}).get("shards") == len(SHARDS), 60, "its shards")
    assert node.workers() == before


def test_the_host_of_an_engine_shows_workers_with_their_node_until_that_falls_silent(place: Place) -> None:
    """In metrics, readiness and `top`; nobody can take over from the node, so that the entries of its shards stay."""
    node = place.nodes["n2"]
    wait_for_shards(place.url, lambda holders: set(holders.values()) == {"n2"})
    with contextlib.closing(EngineHost(place.folder, place.url)) as engine:
        wait_until(lambda: engine.serving() == dict.fromkeys(SHARDS, 1.0), 60, "all workers with events")
        status = engine.status()
        assert not_ready(status) == []
        assert [error.message for error in VALIDATOR.iter_errors(status)] == []
        rows = [row for each in rows_of(status) for row in (each.children or [each]) if row.is_remote]
        assert sorted(str(row.data["shard"]) for row in rows) == SHARDS
        assert {CLUSTER_COLUMNS[1].cell(row, History())[0] for row in rows} == {"n2"}
        node.kill_everything()
        wait_until(lambda: engine.serving() == dict.fromkeys(SHARDS, 0.0), 30, "that none serves any more")
        status = engine.status()
        assert {row["state"] for row in status["remote_workers"]} == {"away"}
        assert len(not_ready(status)) == len({shard[:-2] for shard in SHARDS})


@pytest.mark.variant
def test_a_restart_of_the_server_moves_nothing(place: Place) -> None:
    nodes = place.both()
    holders = {row.shard: (row.node, row.workers) for row in state_of(place.url).shards}

    def settled() -> list[dict[str, int]] | None:
        """The workers of both, once no predecessor of one is left."""
        found = [node.workers() for node in nodes]
        return found if sum(map(len, found)) == len(holders) else None

    before = wait_until(settled, 60, "one worker of each shard")
    place.server.kill()
    place.server.start()
    for node in nodes:
        wait_until(lambda node=node: "cluster_reconnected" in node.err.read_text(), 60, "the node's connection")
    time.sleep(2 * ACK_WAIT_S)  # in which the server delivers again what it does not know to be held
    assert {row.shard: (row.node, row.workers) for row in state_of(place.url).shards} == holders
    assert [node.workers() for node in nodes] == before


@pytest.mark.variant
def test_a_drained_node_serves_each_shard_until_its_successor_does(place: Place) -> None:
    first, second = place.both()
    moved = {row.shard for row in state_of(place.url).shards if row.node == "n1"}
    done = run_program("cluster", "drain", "n1", "--cluster", place.url, limit_s=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "n1 holds no shard\n"
    assert "n1: 0 shard(s) left" in done.stderr
    served, stopped = _times(second, "RUNNING"), _times(first, "STOPPING")
    for shard in moved:
        assert max(served[shard]) < max(stopped[shard]), shard
    wait_until(lambda: not first.workers(), 30, "the end of its workers")
    assert run_program("cluster", "drain", "n1", "--undo", "--cluster", place.url).returncode == 0
    place.both()
    assert run_program("cluster", "drain", "n9", "--cluster", place.url).returncode == 3


def _times(node: Node, state: str) -> dict[str, list[str]]:
    """When workers of each shard came to a state."""
    found: dict[str, list[str]] = {}
    for line in node.err.read_text().splitlines() + node.out.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("event") == "worker_state" and entry.get("state") == state and "_" in entry["worker"]:
            found.setdefault(parse_local(entry["worker"]).shard, []).append(entry["timestamp"])
    return found


@pytest.mark.variant
def test_a_node_that_is_cut_off_stops_within_its_lease(place: Place) -> None:
    place.config.write_text(place.config.read_text().replace("lease_s = 20.0", "lease_s = 4.0"))
    place.apply()
    place.nodes["n1"].close()
    with CutProxy(place.server.port) as proxy:
        cut = place.nodes["n3"] = Node(place.folder, "n3", proxy.url)
        wait_for_shards(place.url, lambda holders: Counter(holders.values())["n3"] >= 2)
        proxy.cut("stalled")
        cut_at = time.monotonic()
        wait_for_shards(place.url, lambda holders: set(holders.values()) == {"n2"})
        wait_until(lambda: not cut.workers(), 60, "the end of its workers")
        print(f"its workers had ended after {time.monotonic() - cut_at:.1f} s")
        held = {row.shard: row.token for row in state_of(place.url).shards}
        proxy.heal()
        wait_until(lambda: any(row.node == "n3" and row.state == "ready" for row in state_of(place.url).nodes), 60)
        wait_for_shards(place.url, lambda holders: Counter(holders.values())["n3"] >= 2)
        assert all(row.token >= held[row.shard] for row in state_of(place.url).shards)


def test_a_supervisor_that_is_no_node_takes_no_assignment(tmp_path: Path) -> None:
    with contextlib.closing(Run(tmp_path, OWN, "--duration", "60")) as run:
        wait_until(run.status, 30, "the supervisor")
        with ControlClient(str(run.run_dir)) as client:
            assert (
                "is no node of a cluster" in client.request(AssignRequest(time.monotonic() + 5.0, 1.0, []), 10.0).error
            )
