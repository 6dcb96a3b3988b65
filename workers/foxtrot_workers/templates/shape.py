"""Learns a template from frames of one shape and the events that Python's parser made of them. Pure.

A *shape* is what frames have in common: keys, their order, kinds of values. Each sample eliminates what does not hold:
which field an element of an event is copied from, by what scale a time is multiplied, what is constant. What is left
becomes the program. The rules that make a template safe:

* A field that the parser's decoder reads and that no element of the event comes from must be constant.
* An element that may come from several fields is taken from one, and a frame matches only if they are equal.
* A value that could mean more than its text (a sign, an exponent, zero as a price, an escape) never matches.

What a template does not match goes to Python, and so becomes a further sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from foxtrot_protocol.events import BookDelta, Quote, Ticker, Trade
from foxtrot_workers.adapter.frame_kinds import DeclaredStream, FrameKind
from foxtrot_workers.templates.frame_layout import Field, Layout
from foxtrot_workers.templates.message_fields import SKIPPED, MessageField, MessageFields
from foxtrot_workers.templates.program import Identifiers, Match, MatchStep, Program, Write, WriteStep

__all__ = ["CHOICES_MAX", "SAMPLES_MIN", "Shape", "UnlearnableShape", "signature"]

SAMPLES_MIN = 16
"""Events from which a template is made, at least."""

CHOICES_MAX = 8
"""Most values of a field whose values are told apart one by one."""

ROWS_MAX = 128
"""Most rows of a frame; one, until a frame with several was seen."""

SCALES = (1, 1_000, 1_000_000, 1_000_000_000)
"""Nanoseconds in the units that exchanges send times in."""

_NUMBERS: dict[type, frozenset[str]] = {
    Trade: frozenset({"price", "size"}),
    Quote: frozenset({"bid", "bid_size", "ask", "ask_size"}),
    Ticker: frozenset(
        {"last", "open", "high", "low", "volume", "turnover", "bid", "bid_size", "ask", "ask_size"},
    ),
}
"""Elements that are decimal numbers and whose zero may mean that there is no value."""

_IDENTIFIERS: dict[type, tuple[str, str]] = {
    Trade: ("trade_id", "trade_id"),
    Quote: ("update_id", "update_id"),
    BookDelta: ("first_id", "last_id"),
}

_LEVELS = frozenset({"bids", "asks"})
"""Elements that are lists of levels."""

_NO_LEVELS = "[]"
"""What `_levels_text` returns for none."""

_TEXTS = frozenset({"trade_id", "update_id", "first_id", "last_id"})
"""Elements that are copied whatever their characters."""

_encode = msgspec.msgpack.Encoder().encode
_decode_levels = msgspec.json.Decoder(float_hook=str).decode


class UnlearnableShape(Exception):
    """The samples do not determine a template, at least not yet; says why."""


def signature(layout: Layout, events: Sequence[Any]) -> object:
    """Return what frames of one shape have in common; None where rows or events differ among themselves."""
    rows = {(_outline(fields), end) for fields, end in layout.rows or ()}
    if len(rows) > 1:
        return None
    empty = {tuple(value is None for value in msgspec.structs.astuple(event)) for event in events}
    if len(empty) > 1 or len(events) != (1 if layout.rows is None else len(layout.rows)):
        return None
    return (_outline(layout.head), tuple(rows), _outline(layout.tail), layout.end, tuple(empty))


def _outline(fields: Iterable[Field]) -> tuple[object, ...]:
    return tuple((field.before, field.path, field.kind) for field in fields)


class _Fact(Struct):
    """What the samples say about one field of the frame."""

    field: Field
    read: MessageField | None
    in_row: bool
    values: set[bytes]
    """Different texts, up to one more than `CHOICES_MAX`."""
    is_symbol: bool = True
    """It has been the symbol of its stream each time."""
    names_stream: bool = True
    """It has named the stream each time: it will vary when another stream's frame comes."""

    @property
    def constant(self) -> bool:
        return len(self.values) == 1


class _Element:
    """What the samples say about one element of the event."""

    def __init__(self, name: str, value: Any, facts: int) -> None:
        self.name = name
        self.first = value
        self.constant = True
        self.is_symbol = True
        self.is_receive_time = True
        self.copies: set[int] = set(range(facts))
        """Fields whose text it equals."""
        self.scales: dict[int, set[int]] = {index: set(SCALES) for index in range(facts)}
        """Fields that it is a multiple of, and by what."""
        self.tables: dict[int, dict[bytes, Any]] = {index: {} for index in range(facts)}
        """Fields whose values decide it."""

    def learn(self, value: Any, texts: Sequence[bytes], symbol: str, receive_ns: int) -> None:
        """Eliminate what does not hold for an event with this `value`."""
        self.constant &= _same(value, self.first)
        self.is_symbol &= value == symbol
        # False equals 0, the time of a recording without times
        self.is_receive_time &= value.__class__ is int and value == receive_ns
        encoded = value.encode() if isinstance(value, str) else None
        self.copies = {index for index in self.copies if texts[index] == encoded}
        is_number = isinstance(value, int) and not isinstance(value, bool)
        for index in list(self.scales):
            digits = texts[index]
            if not is_number or not digits.isdigit():
                del self.scales[index]
                continue
            self.scales[index] = {scale for scale in self.scales[index] if int(digits) * scale == value}
            if not self.scales[index]:
                del self.scales[index]
        for index, table in list(self.tables.items()):
            known = table.setdefault(texts[index], value)
            if not _same(known, value) or len(table) > CHOICES_MAX:
                del self.tables[index]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


class Shape:
    """Learns one shape of one kind of frames."""

    def __init__(self, kind: FrameKind, message: MessageFields, layout: Layout) -> None:
        self._kind = kind
        self._layout = layout
        self.samples = 0
        """Events learned from."""
        self._several_rows = False
        first_row: list[Field] = layout.rows[0][0] if layout.rows else []
        self._facts = [
            _Fact(field, _read(message, kind, field), in_row, set())
            for fields, in_row in ((layout.head, False), (first_row, True), (layout.tail, False))
            for field in fields
        ]
        self._elements: list[_Element] = []

    def learn(self, layout: Layout, stream: DeclaredStream, receive_ns: int, events: Sequence[Any]) -> None:
        """Learn from a frame of this shape, and the events that Python made of it, one for each row."""
        head = list(layout.head)
        tail = list(layout.tail)
        rows = [fields for fields, _ in layout.rows] if layout.rows is not None else [[]]
        self._several_rows |= len(rows) > 1
        for fields, event in zip(rows, events, strict=True):
            texts = [_text_of(field) for field in (*head, *fields, *tail)]
            for fact, text in zip(self._facts, texts, strict=True):
                if len(fact.values) <= CHOICES_MAX:
                    fact.values.add(text)
                fact.is_symbol &= text == stream.symbol.encode()
                fact.names_stream &= text in (stream.symbol.encode(), stream.key.encode())
            names = type(event).__struct_fields__
            values = [
                _levels_text(value) if isinstance(value, list) else value for value in msgspec.structs.astuple(event)
            ]
            if not self._elements:
                self._elements = [_Element(name, value, len(texts)) for name, value in zip(names, values, strict=True)]
            for element, value in zip(self._elements, values, strict=True):
                element.learn(value, texts, stream.symbol, receive_ns)
            self.samples += 1

    def program(self) -> Program:
        """Return the template; raises `UnlearnableShape`."""
        if self.samples < SAMPLES_MIN:
            raise UnlearnableShape("too few samples")
        program = _Assembly(self._kind, self._layout, self._facts, self._elements).program()
        return structs.replace(program, rows_max=ROWS_MAX) if self._several_rows else program


def _text_of(field: Field) -> bytes:
    """Return the text of a field; of levels, what they have in common with an event's."""
    return _levels_text(_decode_levels(field.text)).encode() if field.kind == "levels" else field.text


def _levels_text(levels: Any) -> str:
    """Return prices and sizes as one text, which no other field has."""
    return "[" + "".join(f"[{level[0]},{level[1]}]" for level in levels) + "]"


def _read(message: MessageFields, kind: FrameKind, field: Field) -> MessageField | None:
    """Return what is read of `field`; None where no event depends on it."""
    if field.path in dict(kind.fixed):
        return MessageField("other")
    if field.path in kind.unused:
        return None
    found = message.fields.get(field.path)
    if found is None and any(field.path[: len(path)] == path for path in message.fields):
        return MessageField("other")  # inside of a value that is read as a whole
    return None if found is SKIPPED else found


class _Assembly:
    """Makes the program from what the samples left."""

    def __init__(self, kind: FrameKind, layout: Layout, facts: Sequence[_Fact], elements: Sequence[_Element]) -> None:
        self._kind = kind
        self._layout = layout
        self._facts = facts
        self._elements = elements
        self._codes: dict[int, tuple[Match, tuple[bytes, ...]]] = {}
        """Fields that are put into slots, how, and their choices."""
        self._key = -1
        """The field that names the stream."""
        self._same: list[tuple[int, int]] = []
        self._most: dict[int, int] = {}
        """Largest numbers, where a scale bounds them."""
        self._slots: dict[int, int] = {}
        self._sources: dict[str, int] = {}
        """Elements and the fields that they come from."""

    def program(self) -> Program:
        planned = [self._plan(element) for element in self._elements]
        self._codes.update(
            (index, (Match.KEY, ()))
            for index, fact in enumerate(self._facts)
            if fact.field.path == self._kind.key and fact.field.kind == "string"
        )
        keys = [index for index, (code, _) in self._codes.items() if code is Match.KEY]
        if len(keys) != 1:
            raise UnlearnableShape("no single field names the stream")
        self._key = keys[0]
        self._number_slots()
        writes = self._writes(planned)
        head, row, tail = self._steps()
        identifiers, first, last = self._find_identifiers()
        return Program(
            label=f"{self._kind.event.__name__} {'.'.join(self._kind.key)}",
            head=head,
            row=row,
            tail=tail,
            writes=writes,
            identifiers=identifiers,
            first_slot=self._slots.get(first, 0),
            last_slot=self._slots.get(last, 0),
            id_in_row=first >= 0 and self._facts[first].in_row,
        )

    def _plan(self, element: _Element) -> tuple[Write, Any]:
        """Decide where an element comes from: the write code, and a constant, field or (field, scale)."""
        if element.is_receive_time:
            return Write.RECEIVE_TIME, None
        if element.is_symbol:
            return Write.SYMBOL, None
        if element.constant:
            if element.name in _LEVELS:
                if element.first != _NO_LEVELS:
                    raise UnlearnableShape("levels do not vary yet")
                return Write.BYTES, []
            return Write.BYTES, element.first
        if copies := sorted(index for index in element.copies if self._may_copy(element, index)):
            return self._take_copy(element, copies)
        scaled = sorted(index for index in element.scales if self._accepts(index) == "integer")
        if scaled:
            source = self._take(element, scaled, Match.INTEGER)
            (scale,) = element.scales[source]  # it varies, so it was not always 0: one scale is left
            self._most[source] = (2**63 - 1) // scale
            return Write.INTEGER, (source, scale)
        tables = [index for index in element.tables if self._may_choose(index)]
        if len(tables) != 1:
            raise UnlearnableShape(f"{len(tables)} fields may decide {element.name}")
        choices = tuple(sorted(element.tables[tables[0]]))
        self._use(tables[0], Match.CHOICE, choices)
        return Write.CHOICE, (tables[0], [element.tables[tables[0]][text] for text in choices])

    def _take_copy(self, element: _Element, copies: list[int]) -> tuple[Write, Any]:
        read = self._accepts(copies[0])
        if read == "levels":
            if len(copies) > 1:
                raise UnlearnableShape(f"several lists may be {element.name}")
            self._use(copies[0], Match.LEVELS)
            self._sources[element.name] = copies[0]
            return Write.LEVELS, copies[0]
        if element.name in _NUMBERS.get(self._kind.event, ()):
            code = Match.NONZERO
        elif read == "integer":
            code = Match.INTEGER
        elif element.name in _TEXTS:
            code = Match.TEXT
        else:
            code = Match.DECIMAL
        if read != "integer" and code is Match.TEXT and self._kind.chained:
            raise UnlearnableShape("identifiers of a chain that are no numbers")
        return Write.TEXT, self._take(element, copies, code)

    def _take(self, element: _Element, sources: list[int], code: Match) -> int:
        """Use the first of `sources`; the others, as long as nothing tells them apart, must be equal to it."""
        first, *others = sources
        for index in sources:
            self._use(index, code)
        self._same += [(first, other) for other in others]
        self._sources[element.name] = first
        return first

    def _use(self, index: int, code: Match, choices: tuple[bytes, ...] = ()) -> None:
        before = self._codes.get(index)
        if before is not None and before != (code, choices):
            raise UnlearnableShape(f"two uses of {'.'.join(self._facts[index].field.path)}")
        self._codes[index] = code, choices

    def _accepts(self, index: int) -> str:
        read = self._facts[index].read
        return "" if read is None else read.accepts

    def _may_copy(self, element: _Element, index: int) -> bool:
        fact = self._facts[index]
        if fact.read is None or fact.read.accepts in ("other", "word"):
            return False
        if fact.field.kind == "levels":
            return element.name in _LEVELS
        if fact.read.accepts == "number":
            return fact.field.kind in ("number", "string")
        if fact.read.accepts == "integer":
            return fact.field.kind == "number" or fact.read.as_text
        return fact.field.kind == "string" and not fact.read.choices

    def _may_choose(self, index: int) -> bool:
        fact = self._facts[index]
        if fact.read is None or fact.read.accepts == "other" or fact.constant or len(fact.values) > CHOICES_MAX:
            return False
        if fact.read.choices:
            return True
        return fact.read.accepts == "text" and all(text.isalpha() for text in fact.values)

    def _number_slots(self) -> None:
        """Give each used field a slot; lists of levels are counted apart."""
        counts = {True: 0, False: 0}
        levels = 0
        for index in sorted(self._codes):
            if self._codes[index][0] is Match.LEVELS:
                self._slots[index] = levels
                levels += 1
            else:
                in_row = self._facts[index].in_row
                self._slots[index] = counts[in_row]
                counts[in_row] += 1

    def _writes(self, planned: Sequence[tuple[Write, Any]]) -> tuple[WriteStep, ...]:
        tag = self._kind.event.__struct_config__.tag  # type: ignore[attr-defined]
        constant = _array_head(len(planned) + 1) + _encode(tag)
        steps: list[WriteStep] = []
        for code, what in planned:
            if code is Write.BYTES:
                constant += _encode(what)
                continue
            if constant:
                steps.append(WriteStep(Write.BYTES, text=constant))
                constant = b""
            if code in (Write.SYMBOL, Write.RECEIVE_TIME):
                steps.append(WriteStep(code))
                continue
            source, detail = what if isinstance(what, tuple) else (what, None)
            step = WriteStep(code, self._slots[source], self._facts[source].in_row)
            if code is Write.INTEGER:
                step = msgspec.structs.replace(step, scale=detail)
            elif code is Write.CHOICE:
                step = msgspec.structs.replace(step, choices=tuple(_encode(value) for value in detail))
            steps.append(step)
        if constant:
            steps.append(WriteStep(Write.BYTES, text=constant))
        return tuple(steps)

    def _steps(self) -> tuple[tuple[MatchStep, ...], tuple[MatchStep, ...], tuple[MatchStep, ...]]:
        head_count, tail_count = len(self._layout.head), len(self._layout.tail)
        row_end = len(self._facts) - tail_count
        parts = [
            self._part(range(head_count), b"" if self._layout.rows is not None else self._layout.end),
            self._part(range(head_count, row_end), self._layout.rows[0][1] if self._layout.rows else b""),
            self._part(range(row_end, len(self._facts)), self._layout.end),
        ]
        if self._layout.rows is None:
            parts[1:] = [(), ()]
        for first, other in self._same:
            same = MatchStep(Match.SAME, self._slots[first], self._slots[other])
            if self._facts[first].in_row != self._facts[other].in_row:
                raise UnlearnableShape("fields that may be one another stand inside and outside of rows")
            place = 1 if self._facts[first].in_row else 2
            parts[place] = (*parts[place], same)
        return parts[0], parts[1], parts[2]

    def _part(self, indexes: range, end: bytes) -> tuple[MatchStep, ...]:
        steps: list[MatchStep] = []
        literal = b""
        for index in indexes:
            fact = self._facts[index]
            literal += fact.field.before
            step = self._step(index, fact)
            if step is None:
                literal += next(iter(fact.values))
                continue
            if literal:
                steps.append(MatchStep(Match.LITERAL, text=literal))
                literal = b""
            steps.append(step)
        literal += end
        if literal:
            steps.append(MatchStep(Match.LITERAL, text=literal))
        return tuple(steps)

    def _step(self, index: int, fact: _Fact) -> MatchStep | None:
        """Return the step that matches a field's value; None: it is constant."""
        used = self._codes.get(index)
        if used is not None:
            code, choices = used
            read = fact.read
            bound = other = 0
            if code is Match.INTEGER and read is not None:
                other, bound = read.least, min(read.most, self._most.get(index, read.most))
            elif code in (Match.DECIMAL, Match.NONZERO):
                bound = int(fact.field.kind == "number")
            elif code is Match.LEVELS and read is not None:
                other, bound = int(read.extra), int(read.bare)
            return MatchStep(code, self._slots[index], other, bound=bound, choices=choices)
        if fact.read is not None and fact.is_symbol and fact.field.kind == "string" and self._key < index:
            return MatchStep(Match.SYMBOL)
        if fact.constant and (fact.read is not None or not fact.names_stream):
            return None
        if fact.read is not None:
            raise UnlearnableShape(f"{'.'.join(fact.field.path)} is read and varies, and no element comes from it")
        if fact.field.kind == "levels":
            raise UnlearnableShape("levels that nothing reads")
        skip = {"string": Match.SKIP_STRING, "number": Match.SKIP_NUMBER, "word": Match.SKIP_WORD}
        return MatchStep(skip[fact.field.kind])

    def _find_identifiers(self) -> tuple[Identifiers, int, int]:
        """Return which identifiers these events have, and the fields of the first and the last (-1: none)."""
        names = _IDENTIFIERS.get(self._kind.event)
        if names is None:
            return Identifiers.NONE, -1, -1
        first, last = (self._sources.get(name, -1) for name in names)
        if first < 0 or last < 0:
            if self._kind.chained:
                raise UnlearnableShape("updates of a chain without identifiers that vary")
            values = {element.name: element.first for element in self._elements if element.constant}
            if any(str(values.get(name) or "").isdigit() for name in names):
                raise UnlearnableShape("identifiers do not vary yet")
            return Identifiers.NONE, -1, -1
        if self._facts[first].in_row != self._facts[last].in_row:
            raise UnlearnableShape("identifiers stand inside and outside of rows")
        return (Identifiers.TWO if self._kind.event is BookDelta else Identifiers.ONE), first, last


def _array_head(count: int) -> bytes:
    return bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
