"""Where shards go: even load, twins apart, nothing moved for nothing."""

from __future__ import annotations

import tracemalloc

from foxtrot_supervisor.cluster.board import Board
from foxtrot_supervisor.cluster.model import NodeInfo
from tests.support.cluster_entries import desired, node


def board(*nodes: NodeInfo) -> Board:
    made = Board()
    for each in nodes:
        made.update(each)
    return made


def test_the_least_loaded_node_is_first_unless_another_is_preferred() -> None:
    nodes = board(node("a", "1.a", "2.a", "3.a"), node("b", "4.a"), node("c", "5.a", "6.a"))
    assert nodes.ranked(desired("x.a")) == ["b", "c", "a"]
    assert nodes.ranked(desired("x.a"), "a") == ["a", "b", "c"]
    assert nodes.ranked(desired("x.a"), "a", but=("b", "c")) == ["a"]
    assert nodes.ranked(desired("x.a"), "a", but=("a",)) == ["b", "c"]
    assert nodes.ranked(desired("x.a"), count=1) == ["b"]


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
    assert nodes.ranked(desired("btc.b"), "b", count=4) == ["d", "c", "b", "a"]
    assert nodes.ranked(desired("btc.b"), "a", but=("c", "d")) == ["a", "b"]
    elsewhere = node("e", host="h3")
    assert nodes.ranked(desired("btc.b"), twin=elsewhere, count=4) == ["b", "a", "c", "d"]


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
    nodes.shares.shards = 4
    assert nodes.to_release("a", shards, 1) == {"eth.a": False}
    assert nodes.to_release("a", shards, 0) == nodes.to_release("a", {}, 3) == {}


def test_what_is_beyond_the_exact_share_by_less_than_one_goes_only_where_less_than_the_share_is() -> None:
    shards = {f"s{index}.a": desired(f"s{index}.a") for index in range(5)}
    nodes = board(node("a", *shards), node("b", "x.a", "y.a", "z.a"), node("c", "v.a"))
    nodes.shares.shards = 9  # three each
    assert list(nodes.to_release("a", shards, 3).values()) == [False, False]
    nodes.shares.shards = 10  # a third more
    assert list(nodes.to_release("a", shards, 3).values()) == [False, True]
    nodes.update(node("c", "u.a", "v.a", "w.a"))
    nodes.update(node("a", *list(shards)[:4]))
    assert nodes.to_release("a", shards, 3) == {}  # the others would only round up in its place


def test_the_preferred_node_is_preferred_only_where_it_suits() -> None:
    nodes = board(node("a", "btc.a"), node("b", host="a"), node("c", "x.a", "y.a"))
    nodes.shares.shards = 8  # a and b may hold three, c two
    assert nodes.ranked(desired("btc.b"), "b", limit="share") == []  # on the host of the twin
    assert nodes.ranked(desired("eth.a"), "c", limit="share") == ["b", "a"]  # it has its share
    assert nodes.ranked(desired("eth.a"), "a", limit="share") == ["a", "b"]


def test_a_node_of_which_nothing_is_known_is_not_preferred() -> None:
    nodes = board(node("a"))
    assert nodes.ranked(desired("x.a"), "unknown") == ["a"]
    assert nodes.ranked(desired("x.a"), "unknown", limit="share") == []


def test_announcements_that_follow_one_another_take_no_more_memory() -> None:
    nodes = board(*(node(f"n{index}") for index in range(50)))
    announced = [[node(f"n{index}", *[f"{index}.a"] * (turn % 3)) for turn in range(3)] for index in range(50)]
    tracemalloc.start()
    for turn in range(200):
        for each in announced:
            nodes.update(each[turn % 3])
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 64 * 1024


def test_what_only_evens_out_the_load_goes_to_the_nodes_that_lack_shards_in_turn() -> None:
    nodes = board(node("a", *"123456"), node("b"), node("c", "7.a"), node("d", "8.a"))
    nodes.shares.shards = 8
    ranked = [tuple(nodes.ranked(desired(f"s{index}.a"), limit="share", gentle=True)) for index in range(30)]
    assert set(ranked) == {("b", "c", "d"), ("c", "d", "b"), ("d", "b", "c")}
    assert nodes.ranked(desired("s1.a"), limit="share") == ["b", "c", "d"]
    assert nodes.ranked(desired("s1.a"), gentle=True, count=4) == ["b", "c", "d", "a"]
    assert all(nodes.ranked(desired(f"s{index}.a"), "d", limit="share", gentle=True)[0] == "d" for index in range(9))


def test_sides_on_different_hosts_stay_where_they_are() -> None:
    nodes = board(node("a", "btc.a"), node("b", "btc.b"), node("c"))
    assert nodes.misplaced("b", {"btc.b": desired("btc.b")}) == []
