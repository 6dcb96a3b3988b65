"""Before the beginning of a period only books are kept; at its beginning handlers get them."""

from __future__ import annotations

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookSnapshot, Gap
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.replay.audience import Audience
from tests.support.recorded import Calls, book, trade, update


def audience(*, is_open: bool) -> tuple[Audience, Calls]:
    engine = EventEngine()
    calls = Calls()
    engine.register_general(calls)
    return Audience(engine, is_open=is_open), calls


def test_an_open_one_hands_everything_on() -> None:
    open_one, calls = audience(is_open=True)
    open_one.dispatch_batch([trade(1)])
    assert [name for name, _ in calls.seen] == [EVENT_MARKET_TRADE]
    assert open_one.busy_ns > 0


def test_books_with_updates_are_shown_at_the_opening() -> None:
    closed_one, calls = audience(is_open=False)
    closed_one.dispatch_batch([trade(1), book(10, ("99", "1"), ("98", "2")), update(11, 12, ("99", "0"), ("97", "3"))])
    assert calls.seen == []
    closed_one.open(77)
    shown = calls.of(EVENT_BOOK)[0]
    assert isinstance(shown, BookSnapshot)
    assert (shown.bids, shown.asks, shown.last_id, shown.receive_ns) == (
        [("98", "2"), ("97", "3")],
        [("200", "1")],
        "12",
        77,
    )
    closed_one.dispatch_batch([trade(2)])
    assert [name for name, _ in calls.seen] == [EVENT_BOOK, EVENT_MARKET_TRADE]


def test_a_book_that_is_whole_in_every_message_needs_no_opening() -> None:
    closed_one, calls = audience(is_open=False)
    closed_one.dispatch_batch([book(10, ("99", "1"))])
    closed_one.open(77)
    assert calls.seen == []


def test_a_book_that_is_not_known_is_not_shown() -> None:
    closed_one, calls = audience(is_open=False)
    closed_one.dispatch_batch([update(9, 9, ("1", "1"))])
    closed_one.dispatch_batch([book(10, ("99", "1")), update(11, 11, ("98", "1")), update(12, 12, ("nonsense", "1"))])
    closed_one.open(77)
    assert calls.seen == []


def test_a_gap_hides_the_books_that_it_may_concern() -> None:
    for symbol, stream, left in (("A", EVENT_BOOK, 0), ("", "", 0), ("B", EVENT_BOOK, 1), ("A", EVENT_MARKET_TRADE, 1)):
        closed_one, calls = audience(is_open=False)
        gap = Gap("X", symbol, 0, 0, stream, None, None, 0, 0, "test")
        closed_one.dispatch_batch([book(10, ("99", "1")), update(11, 11, ("98", "1")), gap])
        closed_one.open(77)
        assert len(calls.seen) == left, (symbol, stream)
