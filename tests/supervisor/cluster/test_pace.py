"""How fast load evens out: a share in a minute, whether one node hands over or a thousand."""

from __future__ import annotations

import random

import pytest

from foxtrot_supervisor.cluster.pace import BURST_S, EAGERNESS, REBALANCE_S, Admission, Release


@pytest.mark.parametrize("share", [1, 7, 20, 600])
def test_a_node_takes_its_share_over_a_minute(share: int) -> None:
    admission = Admission()
    taken = [turn / 10 for turn in range(6000) if admission.admit(share, 100.0 + turn / 10)]
    minute = sum(at < REBALANCE_S for at in taken)
    assert share * 0.9 <= minute <= share + max(2.0, share * BURST_S / REBALANCE_S)
    assert sum(at < 1.0 for at in taken) <= 2 + share * (BURST_S + 1.0) / REBALANCE_S


def test_without_a_share_a_node_takes_nothing() -> None:
    assert not Admission().admit(0, 100.0)


def test_a_pause_allows_no_more_than_a_few_seconds_of_the_share() -> None:
    admission = Admission()
    admission.admit(120, 100.0)
    assert sum(admission.admit(120, 10_000.0) for _ in range(120)) == 120 * BURST_S / REBALANCE_S


def hand_over(nodes: int, surplus: int, demand: float) -> list[float]:
    """Return when `nodes` hand over one shard each turn of two seconds, after a while without a surplus."""
    rng = random.Random(1)
    each = [[Release(rng.random()), surplus] for _ in range(nodes)]
    moved = []
    for turn in range(60):
        for node in each:
            release, left = node
            assert isinstance(release, Release)
            assert isinstance(left, int)
            count = release.count(left if turn else 0, demand, 1000.0 + 2.0 * turn)
            node[1] = left - count
            moved += [2.0 * turn] * count
    return moved


def test_one_node_hands_its_surplus_over_as_fast_as_others_take_it() -> None:
    moved = hand_over(1, 20, 1.0)
    assert moved == sorted(moved)
    assert 6 <= sum(at < 20.0 for at in moved) <= 20 * EAGERNESS / 3
    assert len(moved) >= 18


def test_many_nodes_with_a_surplus_of_one_take_turns() -> None:
    moved = hand_over(480, 1, 24 / 480)  # one node lacks its share of 24
    assert 60 <= len(moved) <= 2 + 24 * 2 * EAGERNESS
    assert max(moved.count(at) for at in set(moved)) <= 6
    assert len(hand_over(24, 1, 1.0)) == 24


def test_without_a_surplus_nothing_is_saved_for_later() -> None:
    release = Release(0.0)
    assert release.count(0, 5.0, 1000.0) == 0
    assert release.count(1, 1.0, 2000.0) == 0
    assert release.count(10, 1.0, 2000.0 + 2 * REBALANCE_S) == int((10 + 1) * EAGERNESS * BURST_S / REBALANCE_S)


def test_no_more_than_the_surplus_is_handed_over() -> None:
    release = Release(0.9)
    release.count(0, 100.0, 1000.0)
    assert release.count(2, 100.0, 1002.0) == 2
