"""What samples determine, and what they leave open: templates are made of the former only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest
from msgspec import Struct, field, structs

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, Quote, Trade
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.frame_kinds import DeclaredStream, FrameKind
from foxtrot_workers.templates.frame_layout import take_apart
from foxtrot_workers.templates.message_fields import read_fields
from foxtrot_workers.templates.program import Identifiers, Match, Program, Write
from foxtrot_workers.templates.shape import SAMPLES_MIN, Shape, UnlearnableShape, signature

STREAM = DeclaredStream("S", "SYM", "wire")


class Row(Struct):
    price: str = field(name="p")
    size: str = field(name="q")
    time: int = field(name="T")
    number: int = field(name="t")
    side: Literal["buy", "sell"]
    state: str = ""


class Message(Struct):
    data: Row


class Rows(Struct):
    data: list[Row]


class Book(Struct):
    first: int = field(name="U")
    last: int = field(name="u")
    bids: list[tuple[str, str]] = field(name="b")
    asks: list[tuple[str, str]] = field(name="a")


class Last(Struct):
    last: int = field(name="u")


class Split(Struct):
    first: int = field(name="U")
    data: list[Last]


def kind_of(
    message: type, event: type, *, chained: bool = False, unused: tuple[tuple[str, ...], ...] = ()
) -> FrameKind:
    return FrameKind(msgspec.json.Decoder(message), event, "X", ("s",), unused, (), chained)


def learned(
    kind: FrameKind, count: int, sample: Callable[[int], tuple[Any, list[Any]]], stream: DeclaredStream = STREAM
) -> Program:
    """The template of `count` samples: (frame as an object, its events)."""
    message = read_fields(kind.decoder, levels=kind.event in (BookDelta, BookSnapshot))
    shape: Shape | None = None
    for number in range(count):
        frame, events = sample(number)
        layout = take_apart(msgspec.json.encode(frame), message.lists)
        assert layout is not None
        assert signature(layout, events) is not None
        if shape is None:
            shape = Shape(kind, message, layout)
        shape.learn(layout, stream, events[0].receive_ns, events)
    assert shape is not None
    return shape.program()


def trade(number: int, **changed: Any) -> Trade[str]:
    event: Trade[str] = Trade(
        "X", "SYM", 5_000_000 * number, 1_000 + number, f"{number}.5", f"{number}.25", "buy", f"{7 * number}"
    )
    return structs.replace(event, **changed)


def row(number: int, **changed: Any) -> dict[str, Any]:
    values = {"p": f"{number}.5", "q": f"{number}.25", "T": 5 * number, "t": 7 * number, "side": "buy", "x": number}
    return {**values, **changed}


def plain(number: int) -> tuple[Any, list[Any]]:
    side = "buy" if number % 2 else "sell"
    return {"s": "S", "data": row(number + 1, side=side)}, [trade(number + 1, side=side)]


def codes(program: Program) -> list[Match]:
    return [step.code for step in program.head + program.tail]


def test_a_trade_is_determined_by_its_fields() -> None:
    program = learned(kind_of(Message, Trade), SAMPLES_MIN, plain)
    fields = [code for code in codes(program) if code is not Match.LITERAL]
    assert fields == [
        Match.KEY,
        Match.NONZERO,
        Match.NONZERO,
        Match.INTEGER,
        Match.INTEGER,
        Match.CHOICE,
        Match.SKIP_NUMBER,
    ]
    assert [step.code for step in program.writes] == [
        Write.BYTES,
        Write.SYMBOL,
        Write.INTEGER,
        Write.RECEIVE_TIME,
        Write.TEXT,
        Write.TEXT,
        Write.CHOICE,
        Write.TEXT,
        Write.BYTES,
    ]
    (time,) = (step for step in program.writes if step.code is Write.INTEGER)
    assert time.scale == 1_000_000
    assert program.identifiers is Identifiers.ONE
    assert program.rows_max == 1


def test_flags_are_not_the_time_of_frames_without_a_time() -> None:
    def untimed(number: int) -> tuple[Any, list[Any]]:
        message, (event,) = plain(number)
        return message, [structs.replace(event, receive_ns=0)]

    program = learned(kind_of(Message, Trade), SAMPLES_MIN, untimed)
    # receive_ns, and publish_ns, which is 0 on the wire; the flags, which equal 0 as well, stay bytes
    assert [step.code for step in program.writes].count(Write.RECEIVE_TIME) == 2


def test_too_few_samples_make_no_template() -> None:
    with pytest.raises(UnlearnableShape, match="few"):
        learned(kind_of(Message, Trade), SAMPLES_MIN - 1, plain)


def test_what_is_read_and_has_not_varied_must_not_vary() -> None:
    def same_side(number: int) -> tuple[Any, list[Any]]:
        return {"s": "S", "data": row(number + 1, state="open")}, [trade(number + 1)]

    program = learned(kind_of(Message, Trade), 20, same_side)
    literals = b"".join(step.text for step in program.head)
    assert b'"side":"buy","x":' in literals
    assert b'"state":"open"' in literals
    assert Match.CHOICE not in codes(program)


def test_fields_that_nothing_tells_apart_must_be_equal() -> None:
    def same(number: int) -> tuple[Any, list[Any]]:
        size = f"{number + 1}.5"
        return {"s": "S", "data": row(number + 1, q=size)}, [trade(number + 1, size=size)]

    program = learned(kind_of(Message, Trade), 20, same)
    assert Match.SAME in codes(program)


def test_a_field_that_is_read_and_becomes_nothing_makes_no_template() -> None:
    def hidden(number: int) -> tuple[Any, list[Any]]:
        return {"s": "S", "data": row(number + 1, state=f"s{number}")}, [trade(number + 1)]

    with pytest.raises(UnlearnableShape, match="state"):
        learned(kind_of(Message, Trade), 20, hidden)
    assert learned(kind_of(Message, Trade, unused=(("data", "state"),)), 20, hidden)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"price": "made up"}, None),  # constant: written as it is
        ({"exchange_ns": 3}, None),
        ({"symbol": "other"}, None),
    ],
)
def test_constants_are_written_as_they_are(changed: dict[str, Any], why: None) -> None:
    def sample(number: int) -> tuple[Any, list[Any]]:
        values = row(number + 1, p="1.5", T=4)
        return {"s": "S", "data": values}, [trade(number + 1, **{"price": "1.5", "exchange_ns": 3, **changed})]

    program = learned(kind_of(Message, Trade), 20, sample)
    written = b"".join(step.text for step in program.writes)
    for value in changed.values():
        assert msgspec.msgpack.encode(value) in written


@pytest.mark.parametrize(
    "changed",
    [
        lambda number: {"price": f"{number}.50"},  # respelled
        lambda number: {"exchange_ns": 5 * number + 1},  # moved
        lambda number: {"trade_id": f"t{number}"},
        lambda number: {"side": "buy" if number % 3 else "sell"},
    ],
)
def test_an_element_that_is_no_copy_makes_no_template(changed: Callable[[int], dict[str, Any]]) -> None:
    def sample(number: int) -> tuple[Any, list[Any]]:
        return {"s": "S", "data": row(number + 1)}, [trade(number + 1, **changed(number + 1))]

    with pytest.raises(UnlearnableShape):
        learned(kind_of(Message, Trade), 40, sample)


def test_a_scale_must_be_determined() -> None:
    def at_zero(number: int) -> tuple[Any, list[Any]]:
        time = 0 if number < 39 else 5
        return {"s": "S", "data": row(number + 1, T=time)}, [trade(number + 1, exchange_ns=5_000 * time)]

    with pytest.raises(UnlearnableShape):
        learned(kind_of(Message, Trade), 40, at_zero)


def test_frames_without_a_key_make_no_template() -> None:
    def keyless(number: int) -> tuple[Any, list[Any]]:
        return {"data": plain(number)[0]["data"]}, plain(number)[1]

    with pytest.raises(UnlearnableShape, match="names the stream"):
        learned(kind_of(Message, Trade), 20, keyless)


def test_identifiers_that_do_not_vary_are_no_identifiers() -> None:
    def constant(number: int) -> tuple[Any, list[Any]]:
        return {"s": "S", "data": row(number + 1, t=7)}, [trade(number + 1, trade_id="7")]

    with pytest.raises(UnlearnableShape, match="identifiers"):
        learned(kind_of(Message, Trade), 20, constant)

    def none(number: int) -> tuple[Any, list[Any]]:
        return {"s": "S", "data": row(number + 1, t=7)}, [trade(number + 1, trade_id="")]

    assert learned(kind_of(Message, Trade), 20, none).identifiers is Identifiers.NONE


def test_several_rows_are_matched_once_they_were_seen() -> None:
    def rows(number: int) -> tuple[Any, list[Any]]:
        count = 2 if number == 20 else 1
        numbers = range(2 * number + 1, 2 * number + 1 + count)
        sides = ["buy" if each % 3 else "sell" for each in numbers]
        events = [trade(each, side=side, receive_ns=1_000 + number) for each, side in zip(numbers, sides, strict=True)]
        return {"s": "S", "data": [row(each, side=side) for each, side in zip(numbers, sides, strict=True)]}, events

    assert learned(kind_of(Rows, Trade), 20, rows).rows_max == 1
    program = learned(kind_of(Rows, Trade), 30, rows)
    assert program.rows_max > 1
    assert program.row
    assert program.id_in_row


def test_frames_whose_rows_differ_have_no_signature() -> None:
    message = read_fields(msgspec.json.Decoder(Rows), levels=False)
    other = {**row(2), "more": 1}
    layout = take_apart(msgspec.json.encode({"data": [row(1), other]}), message.lists)
    assert layout is not None
    assert signature(layout, [trade(1), trade(2)]) is None
    single = take_apart(msgspec.json.encode({"data": [row(1)]}), message.lists)
    assert single is not None
    assert signature(single, [trade(1), trade(2)]) is None
    pair = take_apart(msgspec.json.encode({"data": [row(1), row(2)]}), message.lists)
    assert pair is not None
    quotes = [Quote("X", "S", 0, 1, "1", "1", None, None, ""), Quote("X", "S", 0, 1, "1", "1", "2", "2", "")]
    assert signature(pair, quotes) is None


def delta(number: int, **changed: Any) -> BookDelta[str]:
    bids = [(f"{number}.5", "0")] if number % 4 else []
    event: BookDelta[str] = BookDelta(
        "X", "SYM", 0, 1_000 + number, bids, [("9.5", f"{number}")], f"{2 * number}", f"{2 * number + 1}", None
    )
    return structs.replace(event, **changed)


def book(number: int) -> tuple[Any, list[Any]]:
    event = delta(number)
    return {"s": "S", "U": 2 * number, "u": 2 * number + 1, "b": event.bids, "a": event.asks}, [event]


CHAINED = DeclaredStream("S", "SYM", "wire", BookChain(1))


def test_an_update_of_a_book_has_two_identifiers_and_levels() -> None:
    program = learned(kind_of(Book, BookDelta, chained=True), 20, book, CHAINED)
    assert program.identifiers is Identifiers.TWO
    assert program.first_slot != program.last_slot
    assert codes(program).count(Match.LEVELS) == 2


def test_an_empty_side_that_has_not_varied_must_stay_empty() -> None:
    def one_sided(number: int) -> tuple[Any, list[Any]]:
        frame, events = book(number)
        return {**frame, "b": []}, [structs.replace(event, bids=[]) for event in events]

    program = learned(kind_of(Book, BookDelta, chained=True), 20, one_sided, CHAINED)
    assert codes(program).count(Match.LEVELS) == 1

    def same_side(number: int) -> tuple[Any, list[Any]]:
        frame, events = book(number)
        return {**frame, "b": [["1", "2"]]}, [structs.replace(event, bids=[("1", "2")]) for event in events]

    with pytest.raises(UnlearnableShape, match="levels"):
        learned(kind_of(Book, BookDelta, chained=True), 20, same_side, CHAINED)


def test_lists_that_nothing_tells_apart_make_no_template() -> None:
    def same(number: int) -> tuple[Any, list[Any]]:
        frame, events = book(number)
        return {**frame, "b": frame["a"]}, [structs.replace(event, bids=event.asks) for event in events]

    with pytest.raises(UnlearnableShape, match="several lists"):
        learned(kind_of(Book, BookDelta, chained=True), 20, same, CHAINED)


def test_an_update_of_a_chain_needs_identifiers() -> None:
    def without(number: int) -> tuple[Any, list[Any]]:
        frame, events = book(number)
        frame = {**frame, "U": 1, "u": 1}
        return frame, [structs.replace(event, first_id=None, last_id=None) for event in events]

    with pytest.raises(UnlearnableShape, match="identifiers"):
        learned(kind_of(Book, BookDelta, chained=True), 20, without, CHAINED)
    assert learned(kind_of(Book, BookDelta), 20, without).identifiers is Identifiers.NONE


def test_other_events_copy_decimals() -> None:
    class Candle(Struct):
        data: Row

    def bar(number: int) -> tuple[Any, list[Any]]:
        values = row(number, q=f"0.{number}")
        values["x"] = 0
        price, volume = values["p"], values["q"]
        side = "buy" if number % 2 else "sell"
        event: Any = Bar(
            "X", "SYM", 0, 1_000 + number, "1m", 5 * number, price, price, price, price, volume, number % 2 == 1
        )
        return {"s": "S", "data": {**values, "t": 5 * number, "side": side}}, [event]

    program = learned(kind_of(Candle, Bar), 20, bar)
    assert Match.DECIMAL in codes(program)
    assert Match.SAME in codes(program)
    assert program.identifiers is Identifiers.NONE


def test_identifiers_of_a_chain_must_be_numbers() -> None:
    class Named(Book):
        first: str = field(name="U")  # type: ignore[assignment]
        last: str = field(name="u")  # type: ignore[assignment]

    def named(number: int) -> tuple[Any, list[Any]]:
        event = delta(number)
        return {"s": "S", "U": event.first_id, "u": event.last_id, "b": event.bids, "a": event.asks}, [event]

    with pytest.raises(UnlearnableShape, match="no numbers"):
        learned(kind_of(Named, BookDelta, chained=True), 20, named, CHAINED)
    assert learned(kind_of(Named, BookDelta), 20, named).identifiers is Identifiers.TWO


def test_a_field_is_read_in_one_way_only() -> None:
    def twice(number: int) -> tuple[Any, list[Any]]:
        values = row(number + 1, t=7)
        return {"s": "S", "data": values}, [trade(number + 1, trade_id=values["q"])]

    with pytest.raises(UnlearnableShape, match=r"two uses of data\.q"):
        learned(kind_of(Message, Trade), 20, twice)


def test_no_element_comes_from_a_field_that_the_decoder_does_not_read() -> None:
    def doubled(number: int) -> tuple[Any, list[Any]]:
        frame, events = plain(number)
        return {**frame, "data": {**frame["data"], "x": frame["data"]["p"], "y": frame["data"]["side"]}}, events

    program = learned(kind_of(Message, Trade), 20, doubled)
    assert Match.SAME not in codes(program)
    assert codes(program).count(Match.CHOICE) == 1
    assert codes(program).count(Match.SKIP_STRING) == 2


def test_a_field_inside_of_rows_is_not_taken_for_one_outside() -> None:
    class Timed(Rows):
        time: int = field(name="T", default=0)

    def timed(number: int) -> tuple[Any, list[Any]]:
        frame, events = plain(number)
        return {"s": "S", "T": frame["data"]["T"], "data": [frame["data"]]}, events

    with pytest.raises(UnlearnableShape, match="inside and outside"):
        learned(kind_of(Timed, Trade), 20, timed)


def test_levels_that_nothing_reads_make_no_template() -> None:
    def one_sided(number: int) -> tuple[Any, list[Any]]:
        frame, events = book(number)
        return frame, [structs.replace(event, bids=[]) for event in events]

    with pytest.raises(UnlearnableShape, match="levels that nothing reads"):
        learned(kind_of(Book, BookDelta, unused=(("b",),)), 20, one_sided)


def test_identifiers_inside_and_outside_of_rows_make_no_template() -> None:
    def split(number: int) -> tuple[Any, list[Any]]:
        event = delta(number, bids=[], asks=[])
        return {"s": "S", "U": 2 * number, "data": [{"u": 2 * number + 1}]}, [event]

    with pytest.raises(UnlearnableShape, match="identifiers stand inside and outside"):
        learned(kind_of(Split, BookDelta), 20, split)
