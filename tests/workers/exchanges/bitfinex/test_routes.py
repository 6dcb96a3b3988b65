from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookSnapshot, Gap, Trade
from foxtrot_workers.adapter import BookLost, Resubscribe, UnrecognizedFrame
from foxtrot_workers.exchanges.bitfinex.constants import LEAPS_MAX
from foxtrot_workers.exchanges.bitfinex.routes import Routes, Sequence
from tests.workers.exchanges.bitfinex.samples import BOOK, SUBSCRIBED_BOOK, SUBSCRIBED_TRADES, SYMBOL, Connected


def _connected() -> Connected:
    wire = Connected(["book", "trade"], [SYMBOL], SUBSCRIBED_BOOK, SUBSCRIBED_TRADES)
    wire.parse(BOOK)
    return wire


def test_a_leap_makes_every_channel_suspect() -> None:
    wire = _connected()
    events = wire.data(232959, "te", [669899160, 1618665870436, 1, 2], 14)
    assert [type(event) for event in events] == [Gap, Gap, Trade]
    assert {event.stream for event in events if isinstance(event, Gap)} == {EVENT_BOOK, EVENT_MARKET_TRADE}
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    assert wire.data(173904, [1, 1, 1], 15) == []
    assert [type(event) for event in wire.data(173904, [[1, 1, 1]], 16)] == [BookSnapshot]


def test_heartbeats_count_even_of_channels_without_a_topic_yet() -> None:
    wire = _connected()
    assert wire.data(999, "hb", 13) == []
    assert wire.parse('[204928, "hb", 14]') == []
    assert len(wire.data(173904, [1, 1, 1], 15)) == 1
    assert len(wire.data(999, "hb", 17)) == 2  # the gaps of both channels


def test_a_frame_that_was_refused_is_missing() -> None:
    wire = _connected()
    with pytest.raises(msgspec.ValidationError):
        wire.data(173904, [1, 1], 13)
    assert [type(event) for event in wire.data(173904, [1, 1, 1], 14)] == [Gap, Gap]
    assert isinstance(wire.adapter.notices[0], BookLost)


def test_a_frame_of_an_unknown_channel_is_not_missing_and_announces_nothing() -> None:
    wire = _connected()
    for number in (13, 15):
        with pytest.raises(UnrecognizedFrame):
            wire.data(999, [1, 1, 1], number)
    assert wire.take_notices() == []
    assert len(wire.data(999, "hb", 15)) == 2, "the leap from 13 to 15"


def test_a_greeting_begins_a_sequence() -> None:
    """A recording may hold several connections."""
    wire = _connected()
    wire.parse('{"event": "info", "version": 2, "serverId": "e293377e", "platform": {"status": 1}}')
    wire.parse(SUBSCRIBED_BOOK.replace("173904", "5"))
    assert [type(event) for event in wire.data(5, [[1, 1, 1]], 1)] == [BookSnapshot]


def test_a_sequence_that_leaps_again_and_again_is_not_believed() -> None:
    sequence = Sequence()
    leaps = 0
    for number in range(0, 100, 2):
        leaps += bool(sequence.missing(number))
        sequence.take(number)
    assert leaps == LEAPS_MAX


def test_frames_without_a_sequence_are_not_compared() -> None:
    sequence = Sequence()
    sequence.take(5)
    assert sequence.missing(None) == ""
    sequence.take(None)
    assert sequence.missing(6) == ""
    assert sequence.missing(7)


def test_a_parser_may_come_after_the_number_of_its_topic() -> None:
    routes = Routes()
    first, second = (lambda *_: None), (lambda *_: None)
    routes.add("trades:X", first)
    routes.number(5, "trades:X")
    routes.add("book:X", first)
    routes.add("trades:X", second)
    assert routes.by_number == {5: second}
    assert routes.topic(5) == "trades:X"
    routes.remove("trades:X")
    assert routes.by_number == {}
    assert routes.topic(5) == ""
    assert routes.topics() == ["book:X"]


def test_only_the_codes_of_a_close_announce_one() -> None:
    wire = _connected()
    wire.parse('{"event": "info", "code": 1, "msg": "hello"}')
    assert wire.take_notices() == []
