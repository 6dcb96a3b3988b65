"""What a decoder reads, from the type that it decodes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_workers.adapter.number_text import Number, NumberLevel
from foxtrot_workers.templates.message_fields import INTEGER_MAX, SKIPPED, MessageField, read_fields


class Level(Struct, array_like=True):
    price: str
    size: str


class Strict(Struct, array_like=True, forbid_unknown_fields=True):
    price: str
    size: str


class Row(Struct):
    price: str = field(name="p")
    time: Annotated[int, Meta(ge=0, le=5)]
    side: Literal["buy", "sell"]
    maker: bool
    bids: list[tuple[str, str]]
    asks: list[Level]


class Message(Struct):
    data: list[Row]
    number: int | None = None
    action: str | UnsetType = UNSET
    negative: Annotated[int, Meta(ge=-(2**63))] = 0
    many: Annotated[int, Meta(ge=2)] = 2
    short: Annotated[str, Meta(max_length=3)] = ""
    other: float = 0.0
    either: int | str = 0
    listed: list[int] = []
    again: list[Row] = []
    three: list[tuple[str, str, str]] = []
    strict: list[Strict] = []


class Bare(Struct):
    price: Number
    levels: list[NumberLevel]
    anything: Any = None


def test_each_field_by_its_type() -> None:
    read = read_fields(msgspec.json.Decoder(Message), levels=True)
    other = MessageField("other")
    assert read.fields == {
        ("data", "[]", "p"): MessageField("text"),
        ("data", "[]", "time"): MessageField("integer", 0, 5),
        ("data", "[]", "side"): MessageField("text", choices=True),
        ("data", "[]", "maker"): MessageField("word", choices=True),
        ("data", "[]", "bids"): MessageField("levels"),
        ("data", "[]", "asks"): MessageField("levels", extra=True),
        ("number",): MessageField("integer", 0, INTEGER_MAX),
        ("action",): MessageField("text"),
        ("negative",): MessageField("integer", 0, INTEGER_MAX),
        ("many",): other,
        ("short",): other,
        ("other",): other,
        ("either",): other,
        ("listed",): other,
        ("again",): other,
        ("three",): other,
        ("strict",): other,
    }
    assert read.lists == {("data",): "rows", ("data", "[]", "bids"): "levels", ("data", "[]", "asks"): "levels"}


def test_numbers_may_be_text_where_the_decoder_is_not_strict() -> None:
    read = read_fields(msgspec.json.Decoder(Message, strict=False), levels=True)
    assert read.fields["number",] == MessageField("integer", 0, INTEGER_MAX, as_text=True)


def test_the_first_level_counts_where_levels_are_not_copied() -> None:
    read = read_fields(msgspec.json.Decoder(Row), levels=False)
    assert read.lists == {}
    assert read.fields["bids",] == MessageField("other")
    assert read.fields["bids", "0", "0"] == read.fields["asks", "0", "1"] == MessageField("text")
    assert read.fields["asks", "0", "2"] is SKIPPED
    assert ("bids", "0", "2") not in read.fields


def test_bare_numbers_keep_their_text_with_the_decoder_for_them() -> None:
    read = read_fields(msgspec.json.Decoder(Bare, float_hook=str), levels=True)
    assert read.fields["price",] == MessageField("number")
    assert read.fields["levels",] == MessageField("levels", bare=True)
    first = read_fields(msgspec.json.Decoder(Bare, float_hook=str), levels=False)
    assert first.fields["levels", "0", "1"] == MessageField("number")
    without = read_fields(msgspec.json.Decoder(Bare), levels=True)
    assert without.fields["price",] == without.fields["levels",] == MessageField("other")
