"""Bitfinex's wire messages, and what is read from them.

Data are arrays of bare numbers whose length may grow: ``[CHANNEL, PAYLOAD…, SEQUENCE, TIME]``. They are decoded without
types, with fractions as text (`adapter.number_text`), and checked where they are read. All other messages are objects
with an ``event``.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import number_decoder
from foxtrot_workers.exchanges.bitfinex.constants import MS, TIME_MS_MIN

__all__ = [
    "ChannelMessage",
    "EventMessage",
    "Row",
    "channel_message",
    "decode_array",
    "decode_event",
    "decode_list",
    "millis_ns",
    "row_of",
    "rows_of",
    "whole",
]

Row = list[Any]

_WHOLE_MAX = 2**63 - 1
_MILLIS_MAX = _WHOLE_MAX // MS

decode_array = number_decoder(Row)
"""Decodes a data frame, or the answer to a REST request."""


class EventMessage(Struct):
    """A message that is not an array: every field that can identify it."""

    event: str
    channel: str = ""
    number: Annotated[int, Meta(ge=0)] | None = field(name="chanId", default=None)
    symbol: str = ""
    key: str = ""
    precision: str = field(name="prec", default="P0")
    frequency: str = field(name="freq", default="F0")
    length: str | int = field(name="len", default="")
    code: int = 0
    text: str = field(name="msg", default="")
    status: str = ""


decode_event = msgspec.json.Decoder(EventMessage).decode
decode_list = msgspec.json.Decoder(list[list[str]]).decode


class ChannelMessage(NamedTuple):
    """A data frame, taken apart."""

    number: int
    """Of its channel."""
    kind: str
    """``te``, ``tu``, ``hb``, ``cs`` …; "" where the payload stands alone."""
    payload: Any
    sequence: int | None
    time_ns: int
    """When the exchange sent it; 0 if it does not say."""


def channel_message(array: Row) -> ChannelMessage:
    """Take a data frame apart. Raises `msgspec.ValidationError` where it is none."""
    if len(array) == 4:  # what our flags make of most frames; nearly all of them are taken apart here
        number, payload, last, time_ms = array
        if (
            type(number) is type(last) is type(time_ms) is int
            and type(payload) is list
            and 0 <= last < TIME_MS_MIN <= time_ms < _MILLIS_MAX
        ):
            return ChannelMessage(number, "", payload, last, time_ms * MS)
    if len(array) < 2 or type(array[0]) is not int:
        raise msgspec.ValidationError("an array without channel and payload")
    kind, payload, rest = "", array[1], array[2:]
    if type(payload) is str:
        kind = payload
        payload, rest = (None, rest) if kind == "hb" else (rest[0] if rest else None, rest[1:])
    sequence: int | None = None
    time_ms = 0
    for behind in rest[:2]:
        if type(behind) is not int or behind < 0:
            raise msgspec.ValidationError("neither a sequence nor a time stands behind the payload")
        if behind < TIME_MS_MIN:
            sequence = behind
        else:
            time_ms = behind
    return ChannelMessage(array[0], kind, payload, sequence, millis_ns(time_ms))


def whole(value: Any) -> int:
    """Return `value`, a whole number from 0 to 2^63 - 1. Raises `msgspec.ValidationError` if it is none."""
    if type(value) is int and 0 <= value <= _WHOLE_MAX:
        return value
    raise msgspec.ValidationError(f"not a whole number: {str(value)[:40]}")


def millis_ns(value: Any) -> int:
    """Return the nanoseconds of a time in milliseconds. Raises `msgspec.ValidationError` if it is none."""
    time_ns = whole(value) * MS
    if time_ns > _WHOLE_MAX:
        raise msgspec.ValidationError(f"not a time: {str(value)[:40]}")
    return time_ns


def row_of(value: Any, length: int) -> Row:
    """Return `value`, an array of at least `length` elements. Raises `msgspec.ValidationError` if it is none."""
    if type(value) is list and len(value) >= length:
        return value
    raise msgspec.ValidationError(f"not an array of {length} or more elements")


def rows_of(payload: Any) -> tuple[bool, list[Any]]:
    """Return whether `payload` is a snapshot, which is an array of rows, and its rows; an update is one row."""
    rows = row_of(payload, 0)
    if not rows or type(rows[0]) is list:
        return True, rows
    return False, [rows]
