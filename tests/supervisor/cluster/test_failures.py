"""A shard that fails goes to where it has not failed, and waits longer and longer where it has."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster.failures import (
    FIRST_S,
    FORGOTTEN_S,
    LONGEST_S,
    REASON_CHARACTERS_MAX,
    avoided,
    describe,
    given_up,
    noted,
)
from foxtrot_supervisor.cluster.model import Failure
from foxtrot_supervisor.core.lifecycle import State

TABLE = {"exchange": "sim", "symbols": ["BTCUSDT"]}
NOW = 1_000_000.0


def worker(state: str, cause: str = "") -> dict[str, str]:
    return {"state": state, "cause": cause}


def test_a_worker_is_given_up_when_its_supervisor_has_given_it_up() -> None:
    assert given_up({"btc_a0_5.a": worker("FATAL", "crashed 6 times")}) == "crashed 6 times"
    assert given_up({"btc_a0_5.a": worker("FATAL"), "btc_a0_5.b": worker("STOPPED")}) == "it has failed"
    assert given_up({"btc_a0_5.a": worker("FATAL", "x" * 1000)}) == "x" * REASON_CHARACTERS_MAX


@pytest.mark.parametrize("state", [state.value for state in State if state is not State.FATAL])
def test_in_no_other_state(state: str) -> None:
    assert given_up({"btc_a0_5.a": worker(state)}) is None
    assert given_up({}) is None


def test_its_other_side_may_serve_although_one_has_failed() -> None:
    assert given_up({"btc_a0_5.a": worker("FATAL", "x"), "btc_a0_5.b": worker("RUNNING")}) is None


def test_a_node_waits_twice_as_long_after_each_failure_and_the_others_not_at_all() -> None:
    failed: dict[str, Failure] = {}
    at, waits = NOW, []
    for _ in range(9):
        failed = noted(failed, "n1", "crashed", TABLE, at)
        waits.append(avoided(failed, TABLE, at)["n1"])
        assert "n2" not in avoided(failed, TABLE, at)
        at += waits[-1]
        assert avoided(failed, TABLE, at) == {}
    assert waits == [FIRST_S * 2**count for count in range(6)] + [LONGEST_S] * 3


def test_a_shard_that_fails_everywhere_is_tried_ever_more_rarely() -> None:
    failed: dict[str, Failure] = {}
    attempts, at = 0, NOW
    while at < NOW + 3600.0:
        if free := [node for node in ("n1", "n2", "n3") if node not in avoided(failed, TABLE, at)]:
            failed, attempts = noted(failed, free[0], "crashed", TABLE, at), attempts + 1
        at += 1.0
    assert attempts == 3 * 6  # after 0, 60, 180, 420, 900 and 1860 s


def test_another_table_or_a_long_time_forgets_failures() -> None:
    failed = noted({}, "n1", "crashed", TABLE, NOW)
    changed = TABLE | {"symbols": ["ETHUSDT"]}
    assert avoided(failed, changed, NOW) == {}
    assert set(noted(failed, "n2", "crashed", changed, NOW)) == {"n2"}
    assert set(noted(failed, "n2", "crashed", TABLE, NOW)) == {"n1", "n2"}
    assert noted(failed, "n1", "crashed", TABLE, NOW + FORGOTTEN_S)["n1"].count == 1
    assert avoided(failed, dict(reversed(TABLE.items())), NOW) != {}, "the order of keys is no difference"


def test_a_clock_that_was_ahead_keeps_nothing_away_for_longer() -> None:
    failed = noted({}, "n1", "crashed", TABLE, NOW + 1e6)
    assert avoided(failed, TABLE, NOW) == {"n1": FIRST_S}


def test_operators_see_where_and_why() -> None:
    failed = noted(noted({}, "n2", "HTTP 451", TABLE, NOW), "n1", "crashed", TABLE, NOW)
    assert describe(failed, TABLE, NOW + 10) == (
        "failed on n1: crashed (again there in 50 s); failed on n2: HTTP 451 (again there in 50 s)"
    )
    assert describe(failed, TABLE, NOW + 61) == describe({}, TABLE, NOW) == ""
