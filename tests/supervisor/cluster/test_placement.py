"""Where shards go: even load, twins apart, nothing moved for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from foxtrot_supervisor.cluster import placement
from foxtrot_supervisor.cluster.model import Desired, NodeInfo
from foxtrot_supervisor.cluster.placement import Board, accepts, capacity_of, has_room, quotas, release_count


def node(
    name: str,
    *held: str,
    host: str = "",
    capacity: int = 10,
    addresses: Sequence[str] = (),
    exchanges: Sequence[str] = ("sim",),
    draining: bool = False,
    by_exchange: int = 0,
) -> NodeInfo:
    return NodeInfo(
        node=name,
        instance=f"i-{name}",
        host=host or name,
        addresses=list(addresses),
        capacity=capacity,
        held=list(held),
        exchanges=list(exchanges),
        by_exchange={"sim": by_exchange or len(held)},
        draining=draining,
    )


def desired(shard: str, connections_max: int = 0) -> Desired:
    connection, _, side = shard.rpartition(".")
    return Desired(
        shard=shard, connection=connection, side=side, exchange="sim", table={}, connections_max=connections_max
    )


def board(*nodes: NodeInfo) -> Board:
    made = Board()
    for each in nodes:
        made.update(each)
    return made


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


def test_quotas_are_in_proportion_to_capacities() -> None:
    nodes = [node("a", capacity=10), node("b", capacity=20), node("c", capacity=30, draining=True)]
    assert quotas(nodes, 9) == {"a": 3, "b": 6}
    assert quotas(nodes, 1000) == {"a": 10, "b": 20}
    assert quotas([], 5) == {}
    assert quotas([node("a", capacity=0)], 5) == {}


def test_what_does_not_divide_evenly_stays_where_it_is() -> None:
    assert quotas([node("a"), node("b", "1.a", "2.a"), node("c", "3.a")], 4) == {"a": 1, "b": 2, "c": 1}


def test_a_surplus_leaves_over_a_minute() -> None:
    assert release_count(0, 5.0) == 0
    assert release_count(-3, 5.0) == 0
    assert release_count(120, 5.0) == 10
    assert release_count(1, 5.0) == 1
    assert release_count(3, 120.0) == 3


def test_the_least_loaded_node_is_first_unless_another_is_preferred() -> None:
    nodes = board(node("a", "1.a", "2.a", "3.a"), node("b", "4.a"), node("c", "5.a", "6.a"))
    assert nodes.ranked(desired("x.a")) == ["b", "c", "a"]
    assert nodes.ranked(desired("x.a"), "a") == ["a", "b", "c"]
    assert nodes.ranked(desired("x.a"), "a", but=("b", "c")) == ["a"]
    assert nodes.ranked(desired("x.a"), "a", but=("a",)) == ["b", "c"]
    assert nodes.ranked(desired("x.a"), limit=1) == ["b"]


def test_beyond_its_share_a_node_takes_only_what_has_no_other_place() -> None:
    nodes = board(node("a", "1.a"), node("b"))
    nodes.shards = 2
    assert nodes.quota("a") == 1
    assert nodes.quota("unknown") == 0
    assert not accepts(nodes.nodes["a"], desired("x.a"), 1, forced=False)
    assert accepts(nodes.nodes["a"], desired("x.a"), 1, forced=True)
    assert accepts(nodes.nodes["b"], desired("x.a"), 1, forced=False)
    assert not accepts(node("c", draining=True), desired("x.a"), 1, forced=True)


def test_an_outdated_announcement_counts_no_more() -> None:
    nodes = board(node("a"), node("b", "1.a"))
    nodes.update(node("a", "2.a", "3.a"))
    assert nodes.ranked(desired("x.a")) == ["b", "a"]
    nodes.remove("b")
    nodes.remove("b")
    assert nodes.ranked(desired("x.a")) == ["a"]
    assert nodes.holder("1.a") is None
    nodes.update(node("a"))
    assert nodes.holder("2.a") is None


def test_twins_are_on_different_hosts_then_on_different_addresses() -> None:
    nodes = board(
        node("a", "btc.a", host="h1", addresses=["1"]),
        node("b", host="h1", addresses=["9"]),
        node("c", "1.a", "2.a", host="h2", addresses=["1"]),
        node("d", "1.b", "2.b", "3.b", host="h3", addresses=["2"]),
    )
    assert nodes.ranked(desired("btc.b"), "b", limit=4) == ["d", "c", "b", "a"]
    assert nodes.ranked(desired("btc.b"), "a", but=("c", "d")) == ["a", "b"]
    elsewhere = node("e", host="h3")
    assert nodes.ranked(desired("btc.b"), twin=elsewhere, limit=4) == ["b", "a", "c", "d"]


def test_twins_may_share_a_host_where_there_is_no_other() -> None:
    nodes = board(node("a", "btc.a"))
    assert nodes.ranked(desired("btc.b"), "a") == ["a"]
    assert nodes.misplaced("a", {"btc.b": desired("btc.b")}) == []


def test_side_b_gives_way_when_there_is_another_host() -> None:
    both = {shard: desired(shard) for shard in ("btc.a", "btc.b")}
    nodes = board(node("a", "btc.a", "btc.b", "eth.b"))
    nodes.update(node("b"))
    assert nodes.misplaced("a", both) == ["btc.b"]
    nodes.update(node("b", draining=True))
    assert nodes.misplaced("a", both) == []
    assert nodes.misplaced("unknown", both) == []


def test_what_is_released_comes_no_closer_to_its_twin() -> None:
    shards = {shard: desired(shard) for shard in ("btc.b", "eth.a", "sol.a")}
    nodes = board(node("a", "btc.b", "eth.a", "sol.a"), node("b", "btc.a"))
    assert nodes.to_release("a", shards, 2) == {}  # nobody lacks one
    nodes.shards = 4
    assert nodes.to_release("a", shards, 1) == {"eth.a": False}
    assert nodes.to_release("a", shards, 0) == nodes.to_release("a", {}, 3) == {}


def test_what_is_beyond_the_exact_share_by_less_than_one_goes_only_where_less_than_the_share_is() -> None:
    shards = {f"s{index}.a": desired(f"s{index}.a") for index in range(5)}
    nodes = board(node("a", *shards), node("b", "x.a", "y.a", "z.a"), node("c", "v.a"))
    nodes.shards = 9  # three each
    assert list(nodes.to_release("a", shards, 3).values()) == [False, False]
    nodes.shards = 10  # a third more
    assert list(nodes.to_release("a", shards, 3).values()) == [False, True]
    nodes.update(node("c", "u.a", "v.a", "w.a"))
    nodes.update(node("a", *list(shards)[:4]))
    assert nodes.to_release("a", shards, 3) == {}  # the others would only round up in its place


def test_one_more_than_a_whole_share_is_not_kept() -> None:
    nodes = [node("a", *"xyz", capacity=8), node("b", capacity=6), node("c", capacity=6)]
    assert quotas(nodes, 5) == {"a": 2, "b": 2, "c": 1}  # exact shares 2, 1.5 and 1.5


def test_the_preferred_node_is_preferred_only_where_it_suits() -> None:
    nodes = board(node("a", "btc.a"), node("b", host="a"), node("c", "x.a", "y.a"))
    shares = {"a": 3, "b": 3, "c": 2}
    assert nodes.ranked(desired("btc.b"), "b", below=shares) == []  # on the host of the twin
    assert nodes.ranked(desired("eth.a"), "c", below=shares) == ["b", "a"]  # it has its share
    assert nodes.ranked(desired("eth.a"), "a", below=shares) == ["a", "b"]
