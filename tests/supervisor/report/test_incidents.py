"""The memory of incidents: numbers, pages, bounds of count and bytes, bursts."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.report import incidents as module
from foxtrot_supervisor.report.incidents import (
    ANSWER_MAX,
    BURST_MAX,
    BURST_S,
    INCIDENTS_BYTES_MAX,
    INCIDENTS_MAX,
    SOURCES_MAX,
    TEXT_CHARS_MAX,
    Incidents,
    Occurrence,
)


def filled(count: int, cause: str = "why") -> Incidents:
    """A memory of incidents of as many workers: no burst."""
    memory = Incidents()
    for number in range(count):
        memory.note(Occurrence("death", f"w{number}", cause), at_ns=number, now=float(number))
    return memory


def test_an_incident_has_number_time_and_place() -> None:
    memory = Incidents()
    noted = memory.note(
        Occurrence("death", "one.a", "killed", 3, "kill", {"signal": 9, "none": None}),
        at_ns=5,
        now=1.0,
        connection="one",
        exchange="binance",
    )
    page = memory.after(0)
    assert page.incidents == [noted]
    assert (page.first_seq, page.last_seq, page.more) == (1, 1, False)
    assert msgspec.to_builtins(page.incidents[0]) == {
        "seq": 1,
        "at_ns": 5,
        "kind": "death",
        "worker": "one.a",
        "connection": "one",
        "exchange": "binance",
        "incarnation": 3,
        "cause": "killed",
        "rung": "kill",
        "suppressed": 0,
        "details": {"signal": 9, "none": None},
    }


def test_an_empty_memory() -> None:
    page = Incidents().after(0)
    assert (page.incidents, page.first_seq, page.last_seq, page.more) == ([], 1, 0, False)


def test_pages_are_bounded_and_continue() -> None:
    memory = filled(ANSWER_MAX + 3)
    first = memory.after(0, 10**9)
    assert [each.seq for each in first.incidents] == list(range(1, ANSWER_MAX + 1))
    assert first.more
    second = memory.after(ANSWER_MAX)
    assert [each.seq for each in second.incidents] == list(range(ANSWER_MAX + 1, ANSWER_MAX + 4))
    assert not second.more
    assert memory.after(10**12).incidents == []
    assert memory.after(0, -5).incidents == []
    assert [each.seq for each in memory.after(-7, 2).incidents] == [1, 2]


def test_the_oldest_fall_out_by_count() -> None:
    memory = filled(INCIDENTS_MAX + 7)
    page = memory.after(0)
    assert page.first_seq == 8
    assert page.incidents[0].seq == 8
    figures = memory.figures()
    assert (figures.kept, figures.evicted_total, figures.last_seq) == (INCIDENTS_MAX, 7, INCIDENTS_MAX + 7)


def test_the_oldest_fall_out_by_bytes_as_they_are_sent() -> None:
    # control characters take six bytes each in JSON
    memory = filled(INCIDENTS_MAX, "\x01" * 10_000)
    figures = memory.figures()
    assert figures.kept < INCIDENTS_MAX
    assert figures.kept_bytes <= INCIDENTS_BYTES_MAX
    sent = []
    after = 0
    while True:
        page = memory.after(after)
        sent += page.incidents
        after = page.incidents[-1].seq
        if not page.more:
            break
    assert len(sent) == figures.kept
    assert sum(len(msgspec.json.encode(each)) for each in sent) == figures.kept_bytes


def test_long_texts_are_cut() -> None:
    memory = Incidents()
    memory.note(Occurrence("death", "w", "x" * 9999, details={"text": "y" * 9999, "n": 1}), at_ns=0, now=0.0)
    incident = memory.after(0).incidents[0]
    assert len(incident.cause) == TEXT_CHARS_MAX
    assert len(str(incident.details["text"])) == TEXT_CHARS_MAX
    assert incident.details["n"] == 1


def test_a_burst_is_counted_and_does_not_push_others_out() -> None:
    memory = Incidents()
    memory.note(Occurrence("fatal", "other"), at_ns=0, now=0.0)
    for _ in range(5000):
        memory.note(Occurrence("death", "w"), at_ns=0, now=1.0)
    assert [each.kind for each in memory.after(0).incidents] == ["fatal", *["death"] * BURST_MAX]
    figures = memory.figures()
    assert figures.suppressed_total == 5000 - BURST_MAX
    assert figures.by_kind == {"death": 5000, "fatal": 1}
    # another kind of the same worker, and another worker, are kept
    assert memory.note(Occurrence("gap", "w"), at_ns=0, now=1.0) is not None
    assert memory.note(Occurrence("death", "v"), at_ns=0, now=1.0) is not None
    later = memory.note(Occurrence("death", "w"), at_ns=0, now=1.0 + BURST_S)
    assert later is not None
    assert later.suppressed == 5000 - BURST_MAX
    then = memory.note(Occurrence("death", "w"), at_ns=0, now=1.0 + BURST_S)
    assert then is not None
    assert then.suppressed == 0


def test_bursts_of_a_bounded_number_of_sources_are_counted() -> None:
    memory = filled(SOURCES_MAX + 10)
    assert len(memory._bursts) == SOURCES_MAX
    assert ("death", "w0") not in memory._bursts


@given(st.lists(st.tuples(st.sampled_from(module.KINDS), st.integers(0, 3), st.floats(0, 5)), max_size=200))
def test_what_was_kept_and_what_was_suppressed_is_everything(events: list[tuple[module.Kind, int, float]]) -> None:
    memory, now, told = Incidents(), 0.0, 0
    for kind, worker, passed in events:
        now += passed
        noted = memory.note(Occurrence(kind, f"w{worker}"), at_ns=0, now=now)
        told += noted.suppressed if noted is not None else 0
    figures = memory.figures()
    assert figures.last_seq + figures.suppressed_total == len(events) == sum(figures.by_kind.values())
    assert told <= figures.suppressed_total
    numbers = [each.seq for each in memory.after(0).incidents]
    assert numbers == list(range(1, len(numbers) + 1))
