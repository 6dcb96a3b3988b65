"""Rules for one node: its capacity, its room and what it takes."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster import placement
from foxtrot_supervisor.cluster.model import NodeInfo
from foxtrot_supervisor.cluster.placement import accepts, capacity_of, closeness, has_room, twin_of
from tests.support.cluster_entries import desired, node


def test_capacity_is_bounded_by_cores_and_by_memory() -> None:
    assert capacity_of(2, 1 << 40) == 2 * placement.SHARDS_PER_CORE
    assert capacity_of(64, 10 * placement.MEMORY_PER_SHARD) == 10
    assert capacity_of(1, 0) == 1


@pytest.mark.parametrize(
    ("this", "limit", "room"),
    [
        (node("n"), 0, True),
        (node("n", draining=True), 0, False),
        (node("n", "x.a", capacity=1), 0, False),
        (node("n", exchanges=["okx"]), 0, False),
        (node("n", by_exchange=5), 5, False),
        (node("n", by_exchange=4), 5, True),
        (node("n", by_exchange=5, addresses=["1", "2"]), 5, True),
        (node("n", by_exchange=10, addresses=["1", "2"]), 5, False),
    ],
)
def test_a_node_has_room_within_its_capacity_and_the_limit_of_its_addresses(
    this: NodeInfo, limit: int, room: bool
) -> None:
    assert has_room(this, desired("btc.a", limit)) is room


def test_a_node_takes_what_it_has_room_for_below_its_bound() -> None:
    assert not accepts(node("a", "1.a"), desired("x.a"), 1)
    assert accepts(node("a", "1.a"), desired("x.a"), 2)
    assert not accepts(node("a", "1.a", capacity=1), desired("x.a"), 2)
    assert not accepts(node("a", draining=True), desired("x.a"), 2)


def test_closest_is_the_same_host_then_the_same_address() -> None:
    twin = node("a", host="h1", addresses=["1", "2"])
    assert closeness(node("b", host="h1", addresses=["9"]), twin) == 2
    assert closeness(node("c", host="h2", addresses=["2"]), twin) == 1
    assert closeness(node("d", host="h2", addresses=["9"]), twin) == 0
    assert closeness(node("e", host="h1"), None) == 0


def test_the_twin_is_the_other_side() -> None:
    assert [twin_of("btc.a"), twin_of("btc.b")] == ["btc.b", "btc.a"]
