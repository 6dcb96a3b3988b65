"""What is in flight: bounded, acknowledged in any order, sent again under the same number."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster import outflow
from foxtrot_supervisor.cluster.outflow import ACK_WAIT_S, RETRY_FIRST_S, Outflow, Sent


def put(flow: Outflow, ring: str, sequence: int, now: float = 0.0, size: int = 10) -> Sent:
    return flow.add(
        ring, "events.x", f"id-{ring}-{sequence}", b"x" * size, sequence=sequence, end=8 * sequence, events=sequence,
        now=now,
    )  # fmt: skip


def test_acknowledgements_complete_a_ring_in_order() -> None:
    flow = Outflow()
    first, second, other = put(flow, "a", 1), put(flow, "a", 2), put(flow, "b", 1)
    assert flow.acknowledged(second.number) == []
    assert flow.acknowledged(other.number) == [other]
    assert not flow.has("b")
    assert flow.acknowledged(first.number) == [first, second]
    assert (len(flow), flow.bytes, flow.has("a")) == (0, 0, False)
    assert flow.acknowledged(first.number) == [], "sent twice, acknowledged twice"


def test_bounds_in_count_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "IN_FLIGHT_COUNT_MAX", 2)
    monkeypatch.setattr(outflow, "IN_FLIGHT_BYTES_MAX", 100)
    flow = Outflow()
    put(flow, "a", 1)
    assert flow.has_room
    put(flow, "a", 2)
    assert not flow.has_room
    flow.acknowledged(1)
    assert flow.has_room
    put(flow, "a", 3, size=95)
    assert not flow.has_room


def test_what_is_refused_or_late_is_sent_again_and_nothing_new_before() -> None:
    flow = Outflow()
    sent, late = put(flow, "a", 1), put(flow, "a", 2)
    flow.refused(sent.number, 1.0)
    assert not flow.has_room
    assert flow.due(1.0) == []
    assert flow.due(1.0 + RETRY_FIRST_S) == [sent]
    assert flow.due(ACK_WAIT_S) == [late]
    assert flow.resent_total == 2
    flow.acknowledged(sent.number)
    assert not flow.has_room
    flow.acknowledged(late.number)
    assert flow.has_room


def test_refusals_are_answered_ever_more_slowly() -> None:
    flow = Outflow()
    sent = put(flow, "a", 1)
    delays = []
    for _ in range(8):
        flow.refused(sent.number, 100.0)
        delays.append(sent.due - 100.0)
    assert delays[:3] == pytest.approx([RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S])
    assert delays[-1] == outflow.RETRY_MAX_S


def test_after_a_lost_connection_everything_is_sent_again_in_order() -> None:
    flow = Outflow()
    sent = [put(flow, "a", number) for number in range(1, 5)]
    flow.acknowledged(2)
    flow.disconnected(0.5)
    assert flow.due(0.5) == [sent[0], sent[2], sent[3]]
    assert flow.due(0.5) == []


def test_a_refusal_of_what_was_acknowledged_changes_nothing() -> None:
    flow = Outflow()
    sent = put(flow, "a", 1)
    flow.acknowledged(sent.number)
    flow.refused(sent.number, 1.0)
    assert flow.has_room
    assert flow.due(1000.0) == []
