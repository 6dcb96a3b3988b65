"""What is not configured of a node comes from the machine."""

from __future__ import annotations

import socket

import pytest

from foxtrot_supervisor.cluster.machine import node_of
from foxtrot_supervisor.config.cluster import ClusterConfig, name_reason


def test_the_machine_names_node_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box.example.org")
    node = node_of(ClusterConfig(), ["sim"])
    assert (node.node, node.host, node.exchanges) == ("box-example-org", "box-example-org", ["sim"])
    assert node.capacity is not None
    assert node.capacity >= 1
    assert name_reason(node.node or "") is None


def test_what_is_configured_stays() -> None:
    node = node_of(ClusterConfig(node="n", host="h", capacity=0, servers=["nats://localhost"]), [])
    assert (node.node, node.host, node.capacity, node.servers) == ("n", "h", 0, ["nats://localhost"])
