"""What is left out at the end of a run: each choice of gaps names the same number of events, with fewer words."""

from __future__ import annotations

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    EVENT_TYPES,
    Bar,
    BookDelta,
    Gap,
    Quote,
    Trade,
)
from foxtrot_supervisor.sinks import left_out as left_out_module
from foxtrot_supervisor.sinks.left_out import LeftOut, Said
from tests.support.sink_rows import every_kind

NOW_NS = 999


def trade(symbol: str, number: int) -> Trade[str]:
    return Trade("SIM", symbol, 1, number, "1", "2", "buy", str(number))


def said(left_out: LeftOut) -> list[list[Said]]:
    return [list(choice) for choice in left_out.choices(NOW_NS)]


def test_each_stream_is_named_with_its_first_and_last_identifier_and_times() -> None:
    left_out = LeftOut()
    left_out.add("one", [trade("X", 5), trade("Y", 7), trade("X", 6)])
    left_out.add(
        "two",
        [
            BookDelta("SIM", "X", 1, 10, [], [], "20", "22", None),
            Quote("SIM", "X", 1, 11, "1", "2", "3", "4", ""),
            Bar("SIM", "X", 1, 12, "1m", 1, "1", "1", "1", "1", "1", True),
            BookDelta("SIM", "X", 1, 13, [], [], "23", "25", None),
        ],
    )
    by_stream, by_connection, [(nobody, whole)] = said(left_out)
    assert [(name, gap.symbol, gap.stream, gap.first_id, gap.last_id, gap.start_ns) for name, gap in by_stream] == [
        ("one", "X", EVENT_MARKET_TRADE, "5", "6", 5),
        ("one", "Y", EVENT_MARKET_TRADE, "7", "7", 7),
        ("two", "X", EVENT_BOOK, "20", "25", 10),
        ("two", "X", EVENT_BBO, None, None, 11),
        ("two", "X", EVENT_BAR, None, None, 12),
    ]
    assert by_stream[0][1].cause == "2 events found no room in the spool before the sink ended"
    assert [(name, gap.cause.split()[0], gap.start_ns, gap.end_ns) for name, gap in by_connection] == [
        ("one", "3", 5, 7),
        ("two", "4", 10, 13),
    ]
    assert (nobody, whole.cause.split()[:5], left_out.events_total) == (
        "",
        ["7", "events", "of", "2", "connections"],
        7,
    )


def test_what_was_not_read_is_named_by_batches_and_counts_in_sums() -> None:
    left_out = LeftOut()
    left_out.add("one", [trade("X", 5)])
    left_out.add_unread("one", "one.b", 3, (8, 12), 40)
    by_stream, by_connection, [(_, whole)] = said(left_out)
    assert by_stream[1][1].cause == (
        "batches 8 to 12 of one.b#3 found no room in the spool before the sink ended: 40 events"
    )
    assert [gap.cause.split()[0] for _, gap in by_connection] == ["41"]
    assert (whole.cause.split()[0], left_out.events_total) == ("41", 41)


def test_gaps_stay_as_they_are_up_to_a_bound() -> None:
    gap = Gap("SIM", "X", 0, 3, EVENT_MARKET_TRADE, "1", "2", 1, 3, "a cause")
    left_out = LeftOut()
    left_out.add("", [gap] * (left_out_module.GAPS_MAX + 2))
    by_stream, [(_, whole)], _ = said(left_out)
    assert by_stream[0] == ("", gap)
    assert len(by_stream) == left_out_module.GAPS_MAX + 1
    assert whole.cause.split()[0] == str(left_out_module.GAPS_MAX + 2)


def test_every_kind_of_event_can_be_left_out() -> None:
    events = [row.event for row in every_kind()]
    left_out = LeftOut()
    left_out.add("one", events)
    by_stream = said(left_out)[0]
    kinds = {EVENT_TYPES[type(event)] for event in events}
    assert {gap.stream for _, gap in by_stream} >= {*kinds} - {EVENT_TYPES[Gap]}
    assert left_out.events_total == len(events)
