"""Variations of a JSON frame: what other instruments, other days, or a broken line may bring. Pure.

A frame is changed as text, so that all other digits stay as they are. Compressed frames (gzip) are changed inside.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["DAMAGES_PER_FRAME", "UNKNOWN_WORD", "Kind", "Variation", "damaged", "truncations", "variations"]

DAMAGES_PER_FRAME = 100
"""Damaged copies that are tried of each sample: changed bytes, truncations."""

VARIATIONS_OF_A_KIND_MAX = 40
"""Variations of one kind that are tried of each sample."""

TRUNCATIONS_MAX = 200

UNKNOWN_WORD = "FOXTROT_UNKNOWN"

Kind: TypeAlias = Literal[
    "unknown field", "unknown word", "exponent", "more digits", "huge number", "empty list", "null"
]
"""``exponent``: a decimal written with an exponent. ``more digits``: a decimal that no binary float can hold.
``huge number``: a whole number past 53 or 64 bits. ``unknown word``: a value that no document names."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[{}\[\]:,]|true|false|null')
_WORD = re.compile(rb"[A-Za-z_]{2,24}")
_DECIMAL = re.compile(rb"\d{1,18}\.\d{1,18}")
_WHOLE = re.compile(rb"\d{1,25}")

_UNKNOWN_FIELD = b'"foxtrotUnknown":[1,{"x":null}]'
_MORE_DIGITS = b"0000000000000000000000001"
_HUGE = (b"9007199254740993", b"9223372036854775808", b"18446744073709551617", b"1000000000000000000000000000001")


class Variation(Struct, frozen=True):
    """One variation: `was` became `now` in the frame."""

    kind: Kind
    frame: bytes
    was: str
    now: str


def damaged(frame: bytes, rng: random.Random) -> bytes:
    """Return `frame` with a few bytes changed, and perhaps cut off."""
    changed = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    if rng.random() < 0.3:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def truncations(frame: bytes, rng: random.Random) -> list[bytes]:
    """Return beginnings of `frame`, all of them where it is short."""
    lengths = range(len(frame))
    chosen = lengths if len(frame) <= TRUNCATIONS_MAX else sorted(rng.sample(lengths, TRUNCATIONS_MAX))
    return [frame[:length] for length in chosen]


def variations(frame: bytes, rng: random.Random) -> list[Variation]:
    """Return variations of `frame`, of each kind at most `VARIATIONS_OF_A_KIND_MAX`; none where it is not JSON."""
    packed = frame.startswith(b"\x1f\x8b")
    text = gzip.decompress(frame) if packed else frame
    if text[:1] not in (b"{", b"["):
        return []
    found: dict[Kind, list[Variation]] = {}
    for kind, start, end, now in _changes(text):
        whole = text[:start] + now + text[end:]
        changed = gzip.compress(whole, mtime=0) if packed else whole
        found.setdefault(kind, []).append(Variation(kind, changed, text[start:end].decode(), now.decode()))
    chosen: list[Variation] = []
    for each in found.values():
        chosen += each if len(each) <= VARIATIONS_OF_A_KIND_MAX else rng.sample(each, VARIATIONS_OF_A_KIND_MAX)
    return chosen


def _changes(text: bytes) -> Iterator[tuple[Kind, int, int, bytes]]:
    """Yield each change: its kind, start and end of the bytes that are replaced, and what replaces them."""
    tokens = list(_TOKEN.finditer(text))
    opened: list[tuple[int, list[bytes]]] = []
    """Place of each bracket that is open, and how the values of its fields begin."""
    for place, token in enumerate(tokens):
        word = token.group()
        following = tokens[place + 1].group() if place + 1 < len(tokens) else b""
        if opened and place and tokens[place - 1].group() == b":":
            opened[-1][1].append(word[:1])
        if word in (b"{", b"["):
            opened.append((place, []))
        elif word in (b"}", b"]"):
            first, values = opened.pop() if opened else (place, [])
            if word == b"]" and tokens[first + 1].group() in (b"[", b"{"):
                yield "empty list", tokens[first].end(), token.start(), b""
            # an object of objects only may be a table, where another name is no field
            if word == b"}" and set(values) != {b"{"}:
                yield "unknown field", token.start(), token.start(), (b"," if values else b"") + _UNKNOWN_FIELD
        elif word not in (b",", b":") and following != b":":
            yield "null", token.start(), token.end(), b"null"
            quote = 1 if word.startswith(b'"') else 0
            yield from _values(word.strip(b'"'), token.start() + quote, token.end() - quote, is_text=bool(quote))


def _values(value: bytes, start: int, end: int, *, is_text: bool) -> Iterator[tuple[Kind, int, int, bytes]]:
    """Yield changes of one value, inside its quotes if it has any."""
    if is_text and _WORD.fullmatch(value):
        yield "unknown word", start, end, UNKNOWN_WORD.encode()
    elif _DECIMAL.fullmatch(value):
        yield "exponent", start, end, f"{Decimal(value.decode()):e}".replace("+", "").encode()
        yield "more digits", start, end, value + _MORE_DIGITS
    elif _WHOLE.fullmatch(value):
        for huge in _HUGE:
            yield "huge number", start, end, huge
