"""Programs of templates: how a frame is matched, and how its events are written. Pure data.

A frame is matched from its first byte to its last: the steps of the head, then the steps of a row as often as there are
rows (separated by commas), then those of the tail. Steps put fields into slots; the writing steps make the msgpack
bytes of each event from them.
"""

from __future__ import annotations

import enum

from msgspec import Struct

__all__ = ["Identifiers", "Match", "MatchStep", "Program", "Write", "WriteStep"]


class Match(enum.IntEnum):
    """Codes of matching steps, as the compiled matcher knows them."""

    LITERAL = 0
    """Exactly `text`."""
    SKIP_STRING = 1
    """Any plain characters of a string, up to its closing quotation mark."""
    SKIP_NUMBER = 2
    SKIP_WORD = 3
    """``true``, ``false`` or ``null``."""
    TEXT = 4
    """Plain characters of a string, copied."""
    DECIMAL = 5
    """Digits with at most one point, copied. With `bound`: as JSON allows them for a number."""
    NONZERO = 6
    """A `DECIMAL` that is not zero."""
    INTEGER = 7
    """At most 18 digits without leading zeros, of a number from `other` to `bound`."""
    CHOICE = 8
    """One of `choices`."""
    LEVELS = 9
    """A list of levels. Further elements of a level are skipped where `other` is 1; where `bound` is 1, price and size
    may be bare numbers."""
    KEY = 10
    """The text that names the stream."""
    SAME = 11
    """Slots `slot` and `other` hold the same text."""
    SYMBOL = 12
    """The symbol of the stream that the key before it has named."""


class Write(enum.IntEnum):
    """Codes of writing steps."""

    BYTES = 0
    """`text`, which is msgpack."""
    SYMBOL = 1
    RECEIVE_TIME = 2
    TEXT = 3
    """The text in a slot."""
    INTEGER = 4
    """The number in a slot, times `scale`."""
    CHOICE = 5
    """Element of `choices`, which are msgpack, for the choice in a slot."""
    LEVELS = 6


class Identifiers(enum.IntEnum):
    """Which identifiers an event has: none, one, or a first and a last one."""

    NONE = 0
    ONE = 1
    TWO = 2


class MatchStep(Struct, frozen=True):
    """One step of matching."""

    code: Match
    slot: int = 0
    other: int = 0
    text: bytes = b""
    bound: int = 0
    choices: tuple[bytes, ...] = ()


class WriteStep(Struct, frozen=True):
    """One step of writing an event."""

    code: Write
    slot: int = 0
    in_row: bool = False
    text: bytes = b""
    scale: int = 1
    choices: tuple[bytes, ...] = ()


class Program(Struct, frozen=True):
    """A template.

    `label` names it in logs. `first_slot` and `last_slot` hold the identifiers of an event. `rows_max`: no frame with
    more rows matches.
    """

    label: str
    head: tuple[MatchStep, ...]
    row: tuple[MatchStep, ...]
    tail: tuple[MatchStep, ...]
    writes: tuple[WriteStep, ...]
    identifiers: Identifiers
    rows_max: int = 1
    first_slot: int = 0
    last_slot: int = 0
    id_in_row: bool = False
