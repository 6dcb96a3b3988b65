"""Totals continue over restarts; rates are those between heartbeats."""

from __future__ import annotations

from foxtrot_protocol.commands import Heartbeat, SourceCounters
from foxtrot_supervisor.telemetry.vitals import FRESH_S, TOTALS, Vitals


def beat(**more: object) -> Heartbeat:
    facts = {"worker": "a", "incarnation": 1, "loop_lag_ms": 0.0, "rss_bytes": 1, "open_fds": 1, "tasks": 1}
    return Heartbeat(**{**facts, "threads": 1, **more})  # type: ignore[arg-type] - a test's shorthand


def test_totals_continue_over_incarnations() -> None:
    vitals = Vitals()
    assert vitals.totals() == dict.fromkeys(TOTALS, 0)
    vitals.heartbeat(beat(frames_total=5, events_total=3), 1.0)
    vitals.heartbeat(beat(frames_total=10, events_total=7), 2.0)
    assert (vitals.totals()["frames_total"], vitals.totals()["events_total"]) == (10, 7)
    vitals.ended()
    assert (vitals.totals()["frames_total"], vitals.latest, vitals.heard_at) == (10, None, None)
    vitals.ended()  # died before its first heartbeat
    vitals.heartbeat(beat(frames_total=1), 9.0)
    assert vitals.totals()["frames_total"] == 11


def test_growth_is_judged_within_one_incarnation_only() -> None:
    vitals = Vitals()
    assert vitals.look(0.0) == []  # nothing heard yet
    for second in range(0, 300, 5):
        vitals.heartbeat(beat(open_fds=10 + second), float(second))
        if vitals.look(float(second)) == ["open_fds"]:
            break
    assert vitals.growth.bad() == ["open_fds"]
    assert vitals.look(second + FRESH_S + 1) == []  # silent: what was said then is not so now
    assert vitals.growth.growths["threads"].verdict == "steady"
    vitals.ended()
    assert vitals.growth.bad() == []


def test_rate() -> None:
    vitals = Vitals()
    vitals.heartbeat(beat(events_total=100), 1.0)
    assert vitals.events_per_s == 0.0
    vitals.heartbeat(beat(events_total=200), 3.0)
    assert vitals.events_per_s == 50.0
    vitals.heartbeat(beat(events_total=300), 3.0)  # no time has passed: no new rate
    assert vitals.events_per_s == 50.0
    vitals.ended()
    assert vitals.events_per_s == 0.0


def test_counts_of_workers_continue_over_incarnations_of_the_engine() -> None:
    vitals = Vitals()
    assert vitals.sources() == {}
    vitals.heartbeat(
        beat(sources={"a": SourceCounters(1, 2, 3, 4, 5.0, 6.0), "b": SourceCounters(1, 0, 0, 0, 0, 0)}), 1
    )
    vitals.ended()
    assert vitals.sources()["a"].applied_total == 1
    vitals.heartbeat(beat(sources={"a": SourceCounters(10, 20, 30, 40, 50.0, 60.0)}), 2)
    assert vitals.sources() == {
        "a": SourceCounters(11, 22, 33, 44, 50.0, 60.0),
        "b": SourceCounters(1, 0, 0, 0, 0, 0),
    }


def test_heartbeats_that_come_together_give_no_rate() -> None:
    """After a pause of the machine late heartbeats arrive within a millisecond: no event came that fast."""
    vitals = Vitals()
    for second in range(10):
        vitals.heartbeat(beat(events_total=100 * second), float(second))
    assert vitals.events_per_s == 100.0
    vitals.heartbeat(beat(events_total=1000), 14.0)
    assert vitals.events_per_s == 20.0
    for late in range(1, 5):
        vitals.heartbeat(beat(events_total=1000 + 100 * late), 14.0 + 0.001 * late)
        assert vitals.events_per_s == 20.0
    vitals.heartbeat(beat(events_total=1500), 15.004)
    assert vitals.events_per_s == 100.0
    for hundredth in range(1, 40):  # a shorter interval is learned
        vitals.heartbeat(beat(events_total=1500 + 10 * hundredth), 15.004 + 0.05 * hundredth)
    assert round(vitals.events_per_s) == 200


def test_the_age_of_data_goes_on_between_heartbeats() -> None:
    vitals = Vitals()
    assert vitals.data_age_s(1.0) is None
    vitals.heartbeat(beat(), 2.0)
    assert vitals.data_age_s(3.0) is None, "no data yet"
    vitals.heartbeat(beat(last_data_age_s=0.5), 4.0)
    assert (vitals.data_age_s(4.0), vitals.data_age_s(6.0)) == (0.5, 2.5)
    vitals.ended()
    assert vitals.data_age_s(7.0) is None
