"""Each rule finds its fault, and a healthy run has none."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from foxtrot_supervisor.report.diagnosis import DISK_BAD_BYTES, DISK_WATCH_BYTES, Surroundings, diagnose, report_lines

STEADY = {"verdict": "steady", "per_hour": 0.0, "span_s": 300.0}


def child(name: str, **more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": name,
        "pid": 10,
        "state": "RUNNING",
        "desired": "RUNNING",
        "cause": "",
        "stacks": "",
        "restarts_total": 0,
        "last_exit": None,
        "heartbeat_age_s": 0.5,
        "rss_bytes": 50 * 1024 * 1024,
        "open_fds": 20,
        "tasks": 3,
        "threads": 1,
        "growth": {"rss_bytes": STEADY},
    }
    return {**facts, **more}


def worker(**more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(
        (
            "committed_total",
            "applied_total",
            "deduplicated_total",
            "superseded_total",
            "lost_total",
            "dropped_total",
            "gaps_total",
        ),
        0,
    )
    topics = [{"topic": "t", "state": "flowing"}]
    return {**child("one.a"), **counts, "rejected_total": 0, "templates_off_total": 0, "topics": topics, **more}


def handler(**more: Any) -> dict[str, Any]:
    facts = {"type": "eTick.", "handler": "s.on_tick", "owners": ["s"], "calls": 5, "p50_us": 1.0, "p99_us": 2.0}
    return {**facts, "max_us": 3.0, "slow": 0, "errors": 0, "suspended": False, **more}


def engine(**more: Any) -> dict[str, Any]:
    facts = {"queue_depth": 0, "dispatch_p50_us": 1.0, "dispatch_p99_us": 2.0, "slow_handlers": 0, "owners": ["s"]}
    counts = {"handler_errors_total": 0, "account_violations_total": 0, "dropped_total": 0, "rejected_total": 0}
    return {**child("engine"), **facts, **counts, "handlers": [handler()], "leaks": [], **more}


def status(**more: Any) -> dict[str, Any]:
    figures = {"rss_bytes": 1, "open_fds": 20, "tasks": 1, "threads": 1, "growth": {}}
    supervisor = {"pid": 1, "form": "compiled", "state": "running", **figures}
    return {
        "supervisor": supervisor,
        "engine": engine(),
        "nursery": {},
        "simulators": [],
        "services": [],
        "workers": [worker()],
        **more,
    }


def remote(**more: Any) -> dict[str, Any]:
    counts = {"lost_total": None, "lost_batches_total": None, "gaps_total": None}
    return {"worker": "btc.a0-a", "shard": "btc.a", "node": "n1", "state": "serving", **counts, **more}


def test_workers_on_other_nodes_are_judged_by_what_this_engine_knows() -> None:
    assert found(status(remote_workers=[remote()])) == []
    rows = [remote(state="away", lost_total=3, gaps_total=1), *[remote(state="unknown")] * 2]
    rows.append(remote(state="unknown", shard=""))
    assert found(status(remote_workers=rows)) == [
        ("bad", "btc.a0-a", "3 events were lost (announced as gaps)"),
        ("bad", "btc.a0-a", "its node n1 does not announce itself"),
        ("watch", "btc.a0-a", "1 gaps were announced"),
        ("watch", "cluster", "of 2 workers the state is unknown"),
    ]


def found(state: dict[str, Any], around: Surroundings | None = None) -> list[tuple[str, str, str]]:
    return [(each.severity, each.where, each.what) for each in diagnose(state, around or Surroundings())]


def test_a_healthy_run_has_no_findings() -> None:
    around = Surroundings(10**12, 10**13, {1: 1024, 10: 1024})
    assert found(status(), around) == []
    lines = report_lines(status(), around, [])
    assert lines[-1] == "nothing found"
    assert "  one.a: RUNNING, 50.0 MiB, 20 descriptors, 1 threads, 3 tasks; nothing grows" in lines
    assert any("s.on_tick for eTick., of s: 5 calls" in line for line in lines)


def test_a_run_without_an_engine_and_without_heartbeats_can_be_reported() -> None:
    state = status(engine={}, nursery=child("nursery", rss_bytes=None, open_fds=None, growth={}))
    assert found(state) == []
    assert "  nursery: RUNNING" in report_lines(state, Surroundings(), [])


@pytest.mark.parametrize(
    ("growth", "what"),
    [
        ({"rss_bytes": {"verdict": "growing", "per_hour": 12.0 * 1024 * 1024, "span_s": 300.0}},
         "rss_bytes grows by 12.0 MiB per hour, over 300 s"),
        ({"threads": {"verdict": "growing", "per_hour": 720.04, "span_s": 300.0}},
         "threads grows by 720.0 per hour, over 300 s"),
        ({"open_fds": {"verdict": "over", "per_hour": 0.0, "span_s": 0.0}}, "open_fds is over its limit"),
    ],
)  # fmt: skip
def test_growth_of_any_process_is_bad(growth: dict[str, Any], what: str) -> None:
    state = status(workers=[worker(growth=growth)])
    assert found(state) == [("bad", "one.a", what)]
    own = copy.deepcopy(status())
    own["supervisor"]["growth"] = growth
    assert found(own) == [("bad", "supervisor", what)]


def test_descriptors_near_their_limit() -> None:
    assert found(status(), Surroundings(open_files_max={1: 24})) == [
        ("bad", "supervisor", "20 of 24 descriptors are open")
    ]


def test_states_of_processes_that_are_findings() -> None:
    assert found(status(workers=[worker(state="FATAL", cause="refused")])) == [("bad", "one.a", "is FATAL")]
    assert found(status(workers=[worker(state="BACKOFF")])) == [("watch", "one.a", "is BACKOFF")]
    assert found(status(workers=[worker(state="STARTING")])) == []


def test_a_silent_process() -> None:
    assert found(status(workers=[worker(heartbeat_age_s=11.0, stacks="here")])) == [
        ("bad", "one.a", "has sent no heartbeat for 11 s")
    ]
    assert found(status(workers=[worker(heartbeat_age_s=None)])) == []


def test_restarts_are_findings_to_watch() -> None:
    (finding,) = diagnose(status(workers=[worker(restarts_total=2, last_exit={"cause": "reset"})]), Surroundings())
    assert (finding.severity, finding.what, finding.detail) == ("watch", "was restarted 2 times", "last: reset")
    (finding,) = diagnose(status(workers=[worker(restarts_total=1)]), Surroundings())
    assert (finding.what, finding.detail) == ("was restarted once", "")


@pytest.mark.parametrize("key", ["account_violations_total", "dropped_total", "rejected_total"])
def test_violations_drops_and_rejections_of_the_engine_are_bad(key: str) -> None:
    ((severity, where, what),) = found(status(engine=engine(**{key: 3})))
    assert (severity, where) == ("bad", "engine")
    assert what.startswith("3 ")


def test_a_held_closed_owner_is_a_finding_to_watch() -> None:
    assert found(status(engine=engine(leaks=["held: s: held by m.R"]))) == [("watch", "engine", "held: s: held by m.R")]


def test_leaks_that_the_engine_found_come_with_their_detail() -> None:
    state = status(engine=engine(leaks=["threads growing\nmore of x"]))
    findings = diagnose(state, Surroundings())
    assert [(finding.severity, finding.what, finding.detail) for finding in findings] == [
        ("bad", "threads growing", "more of x")
    ]
    assert report_lines(state, Surroundings(), findings)[-2:] == ["  BAD engine: threads growing", "      more of x"]


@pytest.mark.parametrize(
    ("facts", "severity", "what"),
    [
        ({"suspended": True, "errors": 9}, "bad", "is suspended: it failed too often"),
        ({"errors": 2, "slow": 1}, "watch", "has failed 2 times"),
        ({"slow": 1}, "watch", "was slow once"),
    ],
)
def test_failing_slow_and_suspended_handlers_are_findings(facts: dict[str, Any], severity: str, what: str) -> None:
    state = status(engine=engine(handlers=[handler(**facts), handler(type="", owners=[])], owners=[]))
    assert found(state) == [(severity, "handler s.on_tick", what)]
    lines = report_lines(state, Surroundings(), [])
    assert any("s.on_tick for every event, of no owner" in line for line in lines)
    assert any("owners: none" in line for line in lines)


def test_losses_drops_gaps_and_rejected_frames_of_a_worker_are_findings() -> None:
    topics = [{"topic": "btc@trade", "state": "stale"}]
    facts = {"lost_total": 1, "dropped_total": 2, "gaps_total": 3, "rejected_total": 4, "topics": topics}
    facts["templates_off_total"] = 1
    assert found(status(workers=[worker(**facts)])) == [
        ("bad", "one.a", "1 events were lost (announced as gaps)"),
        ("bad", "one.a", "2 events were dropped: its ring was full"),
        ("bad", "one.a", "btc@trade is stale"),
        ("watch", "one.a", "3 gaps were announced"),
        ("watch", "one.a", "4 frames could not be parsed"),
        ("watch", "one.a", "kinds of frames that Python parses alone, since their templates differed: 1"),
    ]


def test_little_disk_space_is_a_finding() -> None:
    assert found(status(), Surroundings(DISK_WATCH_BYTES, 1)) == []
    assert found(status(), Surroundings(DISK_BAD_BYTES, 1)) == [("watch", "disk", "64.0 MiB free in the run directory")]
    assert found(status(), Surroundings(DISK_BAD_BYTES - 1, 1))[0][0] == "bad"


def test_batches_that_were_lost_with_an_unknown_number_of_events_are_bad() -> None:
    (finding,) = diagnose(status(workers=[worker(lost_batches_total=2)]), Surroundings())
    assert (finding.severity, finding.where) == ("bad", "one.a")
    assert finding.what.startswith("2 batches with an unknown number of events were lost")


def test_a_clock_that_is_off_is_a_finding_to_watch() -> None:
    clock = {"exchange": "BINANCE", "source": "rest", "offset_ms": -4200.0, "error_ms": 30.0}
    right = {**clock, "exchange": "OKX", "offset_ms": 1.0}
    expected = ("watch", "clock", "this machine's clock is 4.2 s behind that of BINANCE")
    assert found(status(clocks=[clock, right])) == [expected]
