"""Rows of remote workers, from the entries of holders and from what has landed."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.cluster.model import NodeInfo
from foxtrot_supervisor.cluster.names import EPOCH_STEP
from foxtrot_supervisor.cluster.remote_workers import AWAY_AFTER_S, SHOWN_MAX, Landed, RemoteWorkers
from tests.supervisor.cluster.test_lease import holder

KEY = ("btc.a0-a", 5 * EPOCH_STEP + 2)


def remote(**changes: Any) -> RemoteWorkers:
    made = RemoteWorkers()
    values = {"node": "n1", "host": "h1", "epoch": 5, "part": "a0", "workers": {"btc_a0_5.a": 2}, **changes}
    made.holders["btc.a"] = holder(**values)
    made.nodes_from(0.0)
    return made


def node(instance: str = "i1", every_s: float = 1.0) -> NodeInfo:
    return NodeInfo(
        node="n1", instance=instance, host="h1", addresses=[], capacity=1, held=[], exchanges=[], every_s=every_s
    )


def heard(now: float, **changes: Any) -> RemoteWorkers:
    """A worker whose node has just announced itself; NATS answers since a second."""
    made = remote(**changes)
    made.rows({}, now - 1.0, connected=True)
    made.node_announced(node(), now)
    return made


def states(made: RemoteWorkers, now: float) -> list[str]:
    return [row.state for row in made.rows({}, now, connected=True)]


def test_a_worker_has_its_place_its_state_and_what_came_of_it() -> None:
    made = heard(10.0)
    (first,) = made.rows({KEY: Landed(100, False)}, 10.0, connected=True)
    assert (first.worker, first.incarnation, first.shard, first.node, first.host) == (*KEY, "btc.a", "n1", "h1")
    assert (first.state, first.events_total, first.quiet_s) == ("serving", 100, 0.0)
    (second,) = made.rows({KEY: Landed(150, False)}, 12.0, connected=True)
    assert (second.events_per_s, second.quiet_s) == (25.0, 0.0)
    (third,) = made.rows({KEY: Landed(150, False)}, 15.0, connected=True)
    assert (third.events_per_s, third.quiet_s) == (0.0, 3.0)


def test_without_nats_no_state_is_known() -> None:
    rows = remote().rows({KEY: Landed(100, False), ("eth.a0-a", 7): Landed(3, False)}, 10.0, connected=False)
    assert [row.state for row in rows] == ["unknown", "unknown"]


def test_a_shard_that_has_no_worker_yet_has_a_row() -> None:
    (row,) = heard(10.0, state="starting", workers={}).rows({}, 10.0, connected=True)
    assert (row.worker, row.incarnation, row.state, row.node, row.quiet_s) == ("btc.a0-a", 0, "starting", "n1", None)


def test_what_is_left_of_an_ended_worker_is_shown_until_it_is_handled() -> None:
    made = remote(state="gone", workers={})
    (row,) = made.rows({KEY: Landed(100, True)}, 10.0, connected=True)
    assert (row.worker, row.state, row.node) == ("btc.a0-a", "ended", "")
    assert made.rows({}, 11.0, connected=True) == []


def test_names_of_another_version_are_left_out_and_the_number_is_bounded() -> None:
    assert remote(workers={"what": 1}).rows({}, 10.0, connected=True) == []
    many = {(f"w{number:05}", 1): Landed(1, False) for number in range(SHOWN_MAX + 5)}
    assert len(RemoteWorkers().rows(many, 1.0, connected=True)) == SHOWN_MAX
    crowded = RemoteWorkers()
    crowded.holders = {f"s{number:05}.a": holder(state="starting", workers={}) for number in range(SHOWN_MAX + 5)}
    assert len(crowded.rows(many, 1.0, connected=True)) == SHOWN_MAX


def test_a_node_that_announces_nothing_for_three_intervals_is_away_until_its_next_word() -> None:
    made = heard(10.0)
    assert states(made, 13.0) == ["serving"]
    assert states(made, 13.1) == ["away"]
    made.node_announced(node(), 20.0)
    assert states(made, 20.5) == ["serving"]
    made.node_announced(node(every_s=20.0), 21.0)  # one of a thousand nodes
    assert states(made, 80.0) == ["serving"]
    assert states(made, 81.5) == ["away"]


def test_a_node_that_has_ended_or_runs_as_another_run_is_away() -> None:
    made = heard(10.0)
    made.node_announced(node(instance="i2"), 10.0)
    assert states(made, 10.0) == ["unknown"], "its announcement may be on the way"
    assert states(made, 9.0 + AWAY_AFTER_S + 0.1) == ["away"]
    made = heard(10.0)
    made.node_removed("n1")
    assert states(made, 9.0 + AWAY_AFTER_S + 0.1) == ["away"]


def test_until_a_node_was_heard_since_nats_answers_its_state_is_unknown() -> None:
    made = heard(10.0)
    made.rows({}, 30.0, connected=False)
    assert states(made, 40.0) == ["unknown"], "an announcement from before the outage says nothing"
    assert states(made, 42.0) == ["unknown"]
    assert states(made, 43.5) == ["away"]
    made.node_announced(node(), 44.0)
    assert states(made, 44.0) == ["serving"]


def test_an_announcement_that_stood_there_when_the_watch_began_proves_no_life() -> None:
    made = remote()
    made.rows({}, 1.0, connected=True)
    made.node_announced(node(), None)
    assert states(made, 2.0) == ["unknown"]
    assert states(made, 4.5) == ["away"]
    made.node_announced(node(), 5.0)
    made.node_announced(node(), None)  # the watch begins again
    assert states(made, 6.0) == ["serving"]
    assert states(RemoteWorkers(), 1.0) == []
    unseen = RemoteWorkers()
    unseen.holders.update(made.holders)
    assert states(unseen, 99.0) == ["unknown"], "announcements cannot be followed"
