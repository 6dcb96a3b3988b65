"""A shard whose worker has failed for good goes to another node, and waits where it has failed on all."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from foxtrot_supervisor.cluster.overview import ShardRow
from tests.support.cluster_nodes import Node, state_of
from tests.support.command_line import Simulated, run_program
from tests.support.store_servers import NATS_SERVER, NatsServer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.variant,
    pytest.mark.timeout(110),
    pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed"),
]

CONFIGURATION = """
[cluster]
servers = ["URL"]
[supervisor]
restart_intensity = 0
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "EXCHANGE"
"""


def shard_of(url: str) -> ShardRow:
    (row,) = state_of(url).shards
    return row


def test_a_node_gives_a_shard_back_that_its_supervisor_has_given_up(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with (
        NatsServer(tmp_path / "s") as server,
        contextlib.closing(Simulated(tmp_path)) as exchange,
        contextlib.ExitStack() as stack,
    ):
        config = tmp_path / "foxtrot.toml"
        config.write_text(CONFIGURATION.replace("URL", server.url).replace("EXCHANGE", exchange.url))
        assert run_program("cluster", "apply", "-c", config, limit_s=100).returncode == 0

        def node(name: str) -> Node:
            return stack.enter_context(contextlib.closing(Node(tmp_path, name, server.url, "-c", config)))

        nodes = {name: node(name) for name in ("n1", "n2")}
        wait_until(lambda: len(state_of(server.url).nodes) == 2, 60, "both nodes")
        for count in (1, 2):
            row = wait_until(lambda: row if (row := shard_of(server.url)).state == "serving" else None, 60, "the shard")
            (pid,) = wait_until(nodes[row.node].workers, 60, "its worker").values()
            os.kill(pid, signal.SIGKILL)  # the first crash is one too many
            wait_until(lambda count=count: shard_of(server.url).problem.count("failed on") == count, 60, "the reason")
        failed = wait_until(lambda: row if (row := shard_of(server.url)).state == "waiting" else None, 60, "no holder")
        assert "failed on n1: " in failed.problem
        assert "failed on n2: " in failed.problem
        assert "SIGKILL" in failed.problem
        assert all(not each.workers() and not each.status()["workers"] for each in nodes.values())
        shown = run_program("cluster", "status", "--cluster", server.url)
        assert "failed on n1" in shown.stdout
        logged = ["".join(each.err.read_text()) for each in nodes.values()]
        assert [text.count("shard_given_up") for text in logged] == [1, 1], "it does not go to and fro"
        node("n3")  # where it has not failed
        row = wait_until(
            lambda: row if (row := shard_of(server.url)).state == "serving" else None, 60, "the third node"
        )
        assert row.node == "n3"
