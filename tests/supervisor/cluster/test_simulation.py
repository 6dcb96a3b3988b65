"""Many nodes that fail, join and are drained: nothing stays without a holder, nothing moves for nothing."""

from __future__ import annotations

import functools
import os
import random

import pytest

from foxtrot_supervisor.cluster.deliveries import CLAIM_S
from foxtrot_supervisor.cluster.lease import patience_s
from tests.support.placement_world import World

ACK_WAIT_S = 2.0

PULL_S = patience_s(ACK_WAIT_S, ACK_WAIT_S) + 2 * CLAIM_S
"""One pull: a holder that does not answer is asked, then at most two nodes are that do not answer either."""


@functools.cache
def even(nodes: int, shards: int) -> World:
    """A cluster in which every shard serves and the load is even."""
    world = World(nodes, shards, ACK_WAIT_S)
    settle(world)
    assert world.longest_unheld_s <= PULL_S
    return world


def settle(world: World) -> None:
    """Wait until nothing is to move; a surplus leaves over a minute."""
    for _ in range(30):
        world.run(20.0)
        if world.is_settled and not world.excess() and not world.close:
            return
    raise AssertionError(f"not settled: {world.excess()} shards beyond even shares, {len(world.close)} twins close")


def play(world: World, rng: random.Random) -> None:
    """Some minutes of a bad day: nodes die alone and in groups, join, are drained and come back."""
    some = max(1, len(world.nodes) // 50)
    for _ in range(6):
        match rng.choice(("death", "deaths", "joins", "drain", "undrain")):
            case "death":
                world.kill(rng.choice(list(world.nodes)))
            case "deaths":
                for _ in range(rng.randint(2, 2 * some)):
                    world.kill(rng.choice(list(world.nodes)))
            case "joins":
                for _ in range(rng.randint(1, some)):
                    world.join()
            case "drain":
                world.drain(rng.choice(list(world.nodes)))
            case "undrain":
                for node in world.nodes.values():
                    if node.draining:
                        world.drain(node.name, on=False)
        world.run(rng.uniform(2.0, 20.0))


def check(nodes: int, shards: int, seed: int) -> None:
    world = even(nodes, shards).copied(seed)
    play(world, random.Random(seed))
    settle(world)
    assert world.longest_unheld_s <= ACK_WAIT_S + PULL_S
    assert world.avoidable == 0
    assert world.wasted == 0
    assert world.hasty == 0
    draining = [node for node in world.nodes.values() if node.draining]
    assert not any(node.held for node in draining)
    assert sum(len(node.held) for node in world.nodes.values()) == shards


@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_of_forty_nodes(seed: int) -> None:
    check(40, 600, seed)


@pytest.mark.variant
def test_two_hundred_bad_days_of_forty_nodes() -> None:
    for seed in range(200):
        check(40, 600, seed)


def test_a_cluster_of_a_thousand_nodes() -> None:
    check(1000, 20_000, 0)


LARGE_SEEDS = int(os.environ.get("FOXTROT_PLACEMENT_SEEDS", "5"))
"""Bad days of the large cluster; each takes about a second of processor time."""


@pytest.mark.variant
def test_more_bad_days_of_a_thousand_nodes() -> None:
    for seed in range(1, LARGE_SEEDS):
        check(1000, 20_000, seed)


@pytest.mark.parametrize(("joins", "shards"), [(1, 14), (5, 12)])
def test_new_nodes_take_their_share_over_a_minute_and_only_that_moves(joins: int, shards: int) -> None:
    world = even(20, 300).copied(1)
    for _ in range(joins):
        world.join(f"new{joins}", 40)
    held = []
    for _ in range(9):
        world.run(10.0)
        held.append(world.moves)
    settle(world)
    assert held[0] <= joins * (2 + shards / 6)
    assert held[2] <= joins * (2 + shards / 2)
    assert held[-1] >= 0.9 * world.moves
    assert world.moves == sum(len(node.held) for node in list(world.nodes.values())[-joins:])
    assert world.returned <= 2 * world.moves
    assert world.wasted == world.hasty == 0


def test_the_shards_of_a_dead_node_wait_for_no_pace() -> None:
    world = even(20, 300).copied(1)
    world.join("new", 40)
    for name in list(world.nodes)[:5]:
        world.kill(name)
    world.run(ACK_WAIT_S + PULL_S)
    assert not world.unheld


def test_two_nodes_on_one_host_leave_twins_together_until_another_host_comes() -> None:
    world = World(0, 40)
    world.join("h1", 100)
    world.run(30.0)
    assert len(world.close) == 8
    world.join("h1", 30)
    world.run(60.0)
    assert len(world.close) == 8
    world.join("h2", 40)
    settle(world)
    assert not world.close
