"""Two nodes on one machine, a real nats-server between them: shards placed, taken over, handed over, and fenced."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster_nodes import Node, state_of, wait_for_shards
from tests.support.command_line import Simulated, run_program
from tests.support.store_servers import NATS_SERVER, NatsServer

pytestmark = pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")

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
        done = run_program("cluster", "apply", "-c", self.config, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def node(self, name: str) -> Node:
        """The node of that name, started if it does not run."""
        node = self.nodes.get(name)
        if node is None or node.process.poll() is not None:
            node = self.nodes[name] = Node(self.folder, name, self.url)
        return node

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
