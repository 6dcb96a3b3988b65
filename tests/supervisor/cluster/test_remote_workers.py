"""Rows of remote workers, from the entries of holders and from what has landed."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.cluster.names import EPOCH_STEP
from foxtrot_supervisor.cluster.remote_workers import SHOWN_MAX, Landed, RemoteWorkers
from tests.supervisor.cluster.test_lease import holder

KEY = ("btc.a0-a", 5 * EPOCH_STEP + 2)


def remote(**changes: Any) -> RemoteWorkers:
    made = RemoteWorkers()
    values = {"node": "n1", "host": "h1", "epoch": 5, "part": "a0", "workers": {"btc_a0_5.a": 2}, **changes}
    made.holders["btc.a"] = holder(**values)
    return made


def test_a_worker_has_its_place_its_state_and_what_came_of_it() -> None:
    made = remote()
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
    (row,) = remote(state="starting", workers={}).rows({}, 10.0, connected=True)
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
