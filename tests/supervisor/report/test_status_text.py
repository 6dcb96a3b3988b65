"""The status as text: what is wrong first, what to do last."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.core.targets import ENGINE, NURSERY, WorkerPlace
from foxtrot_supervisor.report.diagnosis import Finding
from foxtrot_supervisor.report.status import Moment, status_head, worker_statuses
from foxtrot_supervisor.report.status_text import FINDINGS_SHOWN, WORKERS_LISTED, advice, status_lines
from foxtrot_supervisor.telemetry.vitals import Vitals
from tests.supervisor.report.test_status import FACTS
from tests.support.statuses import STATUS, worker

CALM = Finding("watch", "one.a", "was restarted once")


def real_status(state: State = State.RUNNING) -> dict[str, Any]:
    """A status as the supervisor makes it."""
    records = {
        name: ChildRecord(plan=ChildPlan(name=name, tier=1, kind=name), state=State.RUNNING, incarnation=1, pid=7)
        for name in (ENGINE, NURSERY, "one.a")
    }
    for record in records.values():
        record.desired = Desired.RUNNING
    records["one.a"].state = state
    connection = ConnectionConfig(name="one", exchange="okx", channels=["trade"], symbols=["X"])
    places = {"one.a": WorkerPlace(connection, "a")}
    vitals = {name: Vitals() for name in records}
    now = Moment(100.0, 1.7e9)
    workers = worker_statuses(["one.a"], records, vitals, places, {}, now, {})
    return {**status_head(FACTS, records, vitals, places, now), "workers": workers}


def text(status: dict[str, Any]) -> list[str]:
    return [line.text for line in status_lines(status)]


def test_a_healthy_run_needs_nothing() -> None:
    lines = text(real_status())
    assert lines[0].startswith("foxtrot-supervisor v  running for 10s")
    assert "What is wrong" not in lines
    assert lines[-1] == "What to do: nothing, all is well"
    for title in ("Connections: 1 of 1 workers serve", "Engine: RUNNING", "Events", "Other processes"):
        assert title in lines


def test_a_worker_stopped_by_an_operator_is_no_fault() -> None:
    status = real_status(State.STOPPED)
    status["workers"][0] |= {"desired": "STOPPED", "stopped_by_operator": True}
    lines = text(status)
    assert "What is wrong" not in lines
    assert any("one.a" in line and "STOPPED by an operator" in line for line in lines)
    sides = [worker("x.a"), worker("x.b", "STOPPED", stopped_by_operator=True)]
    assert any("1 of 2 serve, 1 stopped by an operator" in line for line in text({**STATUS, "workers": sides}))


def test_what_is_wrong_comes_first_and_what_to_do_last() -> None:
    lines = text(real_status(State.FATAL))
    assert lines[3:5] == ["What is wrong", "  BAD    one.a  is FATAL"]
    assert lines[-1] == "What to do: mend the cause, then: foxtrot-supervisor restart one.a"


def test_the_worst_findings_are_shown_and_the_rest_counted() -> None:
    status = real_status()
    topics = [
        {"topic": f"t{number}", "state": "stale", "age_s": 9.0, "since_s": 1.0, "limit_s": 5.0, "reason": "quiet"}
        for number in range(FINDINGS_SHOWN + 3)
    ]
    status["workers"][0]["topics"] = topics
    lines = text(status)
    assert sum(line.startswith("  BAD") for line in lines) == FINDINGS_SHOWN
    assert "  and 3 more: foxtrot-supervisor doctor" in lines
    assert "  BAD    one.a  t0 is stale: its data are 9 s old: quiet" in lines
    assert lines[-1].endswith("foxtrot-supervisor restart one.a")


def test_sides_and_shards_are_listed_below_their_connection() -> None:
    lines = text(STATUS)
    names = [line.split()[0] for line in lines if (line.startswith("  ") and ".a" in line.split()[0]) or "big " in line]
    assert names == ["twin.a", "big", "big-1.a", "big-2.a", "single.a"]
    assert any("1 of 2 serve" in line for line in lines)
    assert "  single: 3 of 4 gaps filled" in lines
    without = text({**STATUS, "backfills": [{"connection": "single", "holes_total": 0, "filled_total": 0}]})
    assert not any("gaps filled" in line for line in without)


def test_workers_of_a_cluster_are_listed() -> None:
    row = {"worker": "btc.a0-a", "incarnation": 5, "node": "n1", "host": "h1", "state": "serving"}
    flowing = row | {"events_per_s": 12.0, "events_total": 50, "quiet_s": 0.5}
    rows = [flowing, row | {"worker": "eth.a0-a", "state": "unknown"}]
    lines = text({**STATUS, "remote_workers": rows})
    assert "Workers of the cluster: 1 of 2 serve" in lines
    assert any(line.split()[:4] == ["btc.a0-a/5", "serving", "n1", "h1"] for line in lines)
    many = text({**STATUS, "remote_workers": [row] * WORKERS_LISTED + [row | {"state": "leaving"}]})
    assert any("leaving" in line for line in many)
    assert f"  {WORKERS_LISTED} that serve are not listed: foxtrot-supervisor cluster status" in many


def test_of_many_workers_those_that_are_down_are_listed() -> None:
    workers = [worker(f"c-{number}.a", shard_of="c") for number in range(WORKERS_LISTED)]
    lines = text({**STATUS, "workers": [*workers, worker("c-down.a", "BACKOFF", shard_of="c")]})
    assert any("c-down.a" in line for line in lines)
    assert not any("c-1.a" in line for line in lines)
    assert f"  {WORKERS_LISTED} workers that serve are not listed: foxtrot-supervisor top shows each" in lines


def test_handlers_by_cost() -> None:
    lines = text(STATUS)
    dear = lines.index("  pack.dear.Dear.on_trade: 10 calls of 9us (p99 -), 3 failed, suspended")
    assert lines[dear + 1] == "  pack.cheap.Cheap.on_trade: 10 calls of 1us (p99 -)"


def test_a_change_of_sides_and_the_latest_events_are_shown() -> None:
    status = {**STATUS, "workers": [worker("x.a", rotation="going")]}
    status["engine"] = {**STATUS["engine"], "recent": ["trade X.SIM buy 1 at 2"]}
    lines = text(status)
    assert any("RUNNING (going)" in line for line in lines)
    assert "  trade X.SIM buy 1 at 2" in lines


def test_a_status_of_another_version_is_shown_as_far_as_it_goes() -> None:
    assert any("another version" in line for line in text(STATUS))
    assert text({})[0].startswith("foxtrot-supervisor")
    assert text({"engine": {"state": "RUNNING"}})


@pytest.mark.parametrize(
    ("status", "findings", "expected"),
    [
        ({}, [], ""),
        ({}, [CALM], ""),
        ({"workers": [worker("a.a", "FATAL")]}, [], "restart a.a"),
        ({"engine": {"name": "engine", "state": "LOST"}}, [], "restart engine"),
        ({}, [Finding("bad", "handler f", "is suspended")], "mend the handler"),
        ({}, [Finding("bad", "disk", "is full")], "foxtrot-supervisor doctor"),
        ({"workers": [worker("a.a")]}, [Finding("bad", "a.a", "is old")], "foxtrot-supervisor logs a.a"),
        ({"workers": [worker("a.a", "BACKOFF", retry_in_s=3.0)]}, [CALM], "a.a is started again in 3.0s"),
    ],
)
def test_advice(status: dict[str, Any], findings: list[Finding], expected: str) -> None:
    said = advice(status, findings)
    assert expected in said
    assert bool(said) is bool(expected)


def test_findings_that_need_nothing_now() -> None:
    status = real_status()
    status["workers"][0] |= {"restarts_total": 1}
    assert text(status)[-1] == "What to do: nothing now; details: foxtrot-supervisor doctor"


def test_lost_events_are_emphasized() -> None:
    status = real_status()
    status["workers"][0] |= {"lost_total": 5}
    (line,) = (line for line in status_lines(status) if "committed =" in line.text)
    assert (line.tone, "+ 5 lost" in line.text) == ("bad", True)
