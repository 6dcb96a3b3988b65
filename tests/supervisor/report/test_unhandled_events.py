"""Unhandled events in rings at the end of a run."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_supervisor.report.unhandled_events import UnhandledRing, describe_unhandled, unhandled_in

DRAINED = RingFigures(
    worker="w.a",
    incarnation=1,
    capacity_bytes=4096,
    used_bytes=0,
    committed_events=10,
    applied_events=7,
    lost_events=1,
    redelivered_events=3,
    dropped_events=5,
    deduplicated_events=2,
)


def test_applied_deduplicated_and_lost_events_count_as_handled() -> None:
    assert unhandled_in([DRAINED], []) == []
    assert describe_unhandled([]) == ""


def test_each_ring_with_unhandled_events_is_named() -> None:
    more = msgspec.structs.replace(DRAINED, incarnation=3, committed_events=431)
    dropped = msgspec.structs.replace(DRAINED, worker="v.a", unannounced_events=4)
    rings = unhandled_in([more, DRAINED, dropped], [("w.a", 2)])
    assert rings == [
        UnhandledRing(worker="v.a", incarnation=1, events=4),
        UnhandledRing(worker="w.a", incarnation=2, events=None),
        UnhandledRing(worker="w.a", incarnation=3, events=421),
    ]
    told = [ring.as_dict() for ring in rings]
    assert told[2] == {"worker": "w.a", "incarnation": 3, "events": 421}
    expected = "4 events of v.a#1, an unknown number of events of w.a#2, 421 events of w.a#3"
    assert describe_unhandled(told) == expected


def test_an_account_with_too_large_counts_hides_no_other_ring() -> None:
    too_much = msgspec.structs.replace(DRAINED, applied_events=100, unannounced_events=2)
    assert unhandled_in([too_much], []) == [UnhandledRing(worker="w.a", incarnation=1, events=2)]


def test_rings_of_workers_that_were_never_started_do_not_count() -> None:
    forged = msgspec.structs.replace(DRAINED, committed_events=12)
    later = msgspec.structs.replace(forged, incarnation=DRAINED.incarnation + 1)
    started = {DRAINED.worker: DRAINED.incarnation}
    assert [ring.incarnation for ring in unhandled_in([forged, later], [("x.a", 1)], started)] == [DRAINED.incarnation]
    assert len(unhandled_in([forged, later], [("x.a", 1)])) == 3
