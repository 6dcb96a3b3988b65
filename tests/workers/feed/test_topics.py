"""States and ages of topics, driven through `ConnectionLife`."""

from __future__ import annotations

import pytest

from foxtrot_workers.feed.topics import LOOK_S, TopicTable
from tests.workers.feed.life import Plain, data, make, states


def test_topics_report_state_and_age() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    data(adapter, "A@trade", 1_000_000_000)
    feed.tick(0.3, 0.2)
    by_wire = {status.topic: status for status in feed.topics(2.3, 3_000_000_000)}
    assert (by_wire["A@trade"].state, by_wire["A@trade"].age_s) == ("flowing", 2.0)
    assert (by_wire["B@trade"].state, by_wire["B@trade"].age_s) == ("asked", None)
    assert feed.data_age_s(2.3, 3_000_000_000) == 2.0


def test_without_data_there_is_no_age() -> None:
    feed, adapter = make()
    feed.opened(0.0)
    assert feed.data_age_s(1.0, 3_000_000_000) is None
    data(adapter, "A@trade", 1_000_000_000)  # no look since
    assert feed.data_age_s(1.0, 3_000_000_000) is None


HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("jump_ns", [-HOUR_NS, HOUR_NS])
def test_a_jump_of_the_wall_clock_makes_no_topic_stale(jump_ns: int) -> None:
    feed, adapter = make(symbols="A", stale_after_s=30.0)
    feed.opened(0.0)
    wall_ns = 10 * HOUR_NS
    for second in range(1, 100):
        if second == 10:
            wall_ns += jump_ns
        data(adapter, "A@trade", wall_ns + second)
        expected = [("A@trade", "flowing")] if second == 1 else []
        assert states(feed.tick(float(second), float(second))) == expected


@pytest.mark.parametrize("jump_ns", [-HOUR_NS, HOUR_NS])
def test_a_jump_of_the_wall_clock_changes_no_age(jump_ns: int) -> None:
    feed, adapter = make(symbols="A")
    feed.opened(0.0)
    data(adapter, "A@trade", 10 * HOUR_NS)
    feed.tick(1.0, 1.0)
    for age_s in (
        feed.data_age_s(11.0, 10 * HOUR_NS + 10**10 + jump_ns),
        feed.topics(11.0, 10 * HOUR_NS + 10**10 + jump_ns)[0].age_s,
    ):
        assert age_s == pytest.approx(10.0, abs=LOOK_S)


def test_a_pause_in_reading_is_no_silence_of_a_stream_that_waits_for_its_snapshot() -> None:
    feed, adapter = make(symbols="A")
    feed.opened(0.0)
    adapter.held_ns["A@trade"] = 1
    feed.tick(1.0, 1.0)
    (record,) = feed._topics.records
    assert (record.heard_at, record.flowing_at) == (1.0, None)
    record.excuse(5.0)
    assert (record.heard_at, record.flowing_at) == (6.0, None)


def test_forgetting_an_unknown_topic_forgets_no_other() -> None:
    adapter = Plain()
    table = TopicTable(adapter, None)
    table.add(adapter.topics(["trade"], ["A"])[0], 0.0)
    table.remove("A@book")
    assert table.get("A@trade") is not None
    assert table.has_symbol("A")
    table.remove("A@trade")
    assert not table.has_symbol("A")
