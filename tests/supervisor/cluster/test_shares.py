"""Even shares: computed as a whole, and kept up to date change by change."""

from __future__ import annotations

import random

import pytest

from foxtrot_supervisor.cluster.shares import Shares, limit_of
from tests.support.placement_world import even_shares


def shares(shards: int, *nodes: tuple[str, int, int]) -> Shares:
    made = Shares()
    made.shards = shards
    for name, capacity, held in nodes:
        made.update(name, capacity, held)
    return made


def even(of: Shares, *names: str) -> list[int]:
    return [of.bound(name, "share") for name in names]


def test_shares_are_in_proportion_to_capacities() -> None:
    nodes = shares(9, ("a", 10, 0), ("b", 20, 0), ("c", 0, 4))
    assert even(nodes, "a", "b", "c", "unknown") == [3, 6, 0, 0]
    nodes.shards = 1000
    assert even(nodes, "a", "b", "c") == [10, 20, 0]
    nodes.update("a", 0, 3)
    nodes.update("b", 0, 3)
    assert even(nodes, "a", "b") == [0, 0]


def test_what_does_not_divide_evenly_stays_where_it_is() -> None:
    assert even(shares(4, ("a", 10, 0), ("b", 10, 2), ("c", 10, 1)), "a", "b", "c") == [1, 2, 1]


def test_one_more_than_a_whole_share_is_not_kept() -> None:
    nodes = shares(5, ("a", 8, 3), ("b", 6, 0), ("c", 6, 0))  # exact shares 2, 1.5 and 1.5
    assert even(nodes, "a", "b", "c") == [2, 2, 1]


def test_distance_from_the_exact_share() -> None:
    nodes = shares(5, ("a", 8, 3), ("b", 6, 0), ("c", 6, 0))
    assert nodes.beyond("a", 2) == 0
    assert nodes.beyond("a", 3) == 1
    assert nodes.beyond("b", 1) == -0.5
    assert nodes.beyond("unknown", 2) == 2


def test_how_far_a_node_may_be_filled() -> None:
    nodes = shares(4, ("a", 10, 0), ("b", 10, 2), ("c", 10, 1))
    assert nodes.bound("b", limit_of(lacking=True, forced=False)) == 1
    assert nodes.bound("b", limit_of(lacking=False, forced=False)) == 2
    assert nodes.bound("b", limit_of(lacking=True, forced=True)) == 10


def test_demand_is_what_lacking_nodes_may_take_as_a_part_of_what_is_too_much() -> None:
    assert shares(12, ("a", 10, 4), ("b", 10, 4), ("c", 10, 4)).demand == 0
    assert shares(12, ("a", 10, 6), ("b", 10, 6), ("c", 10, 0)).demand == 1.0
    assert shares(12, ("a", 10, 5), ("b", 10, 4), ("c", 10, 3)).demand == 4.0
    assert shares(12, ("a", 10, 0), ("b", 10, 0)).demand == 0  # nobody has too much


@pytest.mark.parametrize("seed", range(5))
def test_changes_lead_to_the_same_shares_as_computing_them_as_a_whole(seed: int) -> None:
    rng = random.Random(seed)
    nodes: dict[str, tuple[int, int]] = {}
    made = shares(rng.randint(0, 60))
    for _ in range(1000):
        name = f"n{rng.randrange(12)}"
        capacity, held = nodes.get(name, (0, 0))
        what = rng.random()
        if what < 0.02:
            made.shards = rng.randint(0, 150)
        elif what < 0.1:
            capacity = rng.choice((0, 3, 5, 10, 20))
        nodes[name] = (capacity, min(capacity, max(0, held + rng.randint(-2, 2))))
        made.update(name, *nodes[name])
        present = {name: each for name, each in nodes.items() if each[0]}
        expected = even_shares([(name, *each) for name, each in present.items()], made.shards)
        assert {name: made.bound(name, "share") for name in present} == expected
        loads = sorted((held / capacity, name) for name, (capacity, held) in present.items())
        assert made.below("share") == [each for each in loads if present[each[1]][1] < expected[each[1]]]
        assert made.below("floor") == [each for each in loads if present[each[1]][1] < made.bound(each[1], "floor")]
        too_many = sum(max(0, held - expected[name]) for name, (_, held) in present.items())
        wanted = sum(expected[name] for name, (_, held) in present.items() if held < expected[name])
        assert made.demand == (wanted / too_many if too_many else 0)
        total, room = sum(expected.values()), sum(capacity for capacity, _ in present.values())
        for name, (capacity, _) in present.items():
            assert made.bound(name, "floor") == total * capacity // room
