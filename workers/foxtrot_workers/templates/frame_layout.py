"""Takes a JSON frame apart into literals and fields. Pure.

Only what the compiled matcher can match is taken apart: plain ASCII strings, numbers without an exponent. A frame with
anything else has no layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Field", "FieldKind", "Layout", "Lists", "take_apart"]

FieldKind: TypeAlias = Literal["string", "number", "word", "levels"]

Lists: TypeAlias = Mapping[tuple[str, ...], Literal["rows", "levels"]]
"""Lists whose length varies, by their path."""

DEPTH_MAX = 16
"""Deepest nesting that is taken apart."""

FIELDS_MAX = 200
"""Most fields of a frame."""

_STRING = re.compile(rb'"([ !#-\[\]-~]*)"')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?![0-9.eE+-])")
_WORD = re.compile(rb"true|false|null")
_SPACE = re.compile(rb"[ \t\r\n]*")
_LEVEL = rb'\[(?:"[0-9.]+"|[0-9.]+),(?:"[0-9.]+"|[0-9.]+)(?:,(?:"[ !#-\[\]-~]*"|-?[0-9.]+))*\]'
_LEVELS = re.compile(rb"\[(?:%b(?:,%b)*)?\]" % (_LEVEL, _LEVEL))


class Field(Struct, frozen=True):
    """A value: `before` is the text between the field before it and its first byte, `text` its own text.

    The quotation marks of a string belong to the text around it.
    """

    path: tuple[str, ...]
    kind: FieldKind
    before: bytes
    text: bytes


class Layout(Struct, frozen=True):
    """A frame in parts: the head, rows (None where there are none), the tail, and what follows the last field.

    A row is its fields, and what follows the last one.
    """

    head: list[Field]
    rows: list[tuple[list[Field], bytes]] | None
    tail: list[Field]
    end: bytes


class _NoLayout(Exception):
    pass


def take_apart(frame: bytes, lists: Lists) -> Layout | None:
    """Return the layout of `frame`; None where it cannot be matched."""
    scanner = _Scanner(frame, lists)
    try:
        return scanner.layout()
    except _NoLayout:
        return None


class _Scanner:
    def __init__(self, frame: bytes, lists: Lists) -> None:
        self._frame = frame
        self._lists = lists
        self._at = 0
        self._begin = 0
        """Where the text before the next field begins."""
        self._fields: list[Field] = []
        self._count = 0
        self._head: list[Field] | None = None
        self._rows: list[tuple[list[Field], bytes]] | None = None

    def layout(self) -> Layout:
        self._value((), 0)
        self._spaces()
        if self._at != len(self._frame):
            raise _NoLayout
        end = self._frame[self._begin :]
        if self._head is None:
            return Layout(self._fields, None, [], end)
        return Layout(self._head, self._rows, self._fields, end)

    def _value(self, path: tuple[str, ...], depth: int) -> None:
        self._spaces()
        if depth > DEPTH_MAX:
            raise _NoLayout
        byte = self._frame[self._at : self._at + 1]
        if byte == b"{":
            self._object(path, depth)
        elif byte == b"[":
            listed = self._lists.get(path)
            if listed == "levels":
                self._levels(path)
            elif listed == "rows":
                self._take_rows(path, depth)
            else:
                self._array(path, depth)
        elif byte == b'"':
            found = self._expect(_STRING)
            self._add(path, "string", found.start(1), found.end(1))
        elif byte in (b"t", b"f", b"n"):
            found = self._expect(_WORD)
            self._add(path, "word", found.start(), found.end())
        else:
            found = self._expect(_NUMBER)
            self._add(path, "number", found.start(), found.end())

    def _object(self, path: tuple[str, ...], depth: int) -> None:
        self._at += 1
        self._spaces()
        if self._skip(b"}"):
            return
        while True:
            self._spaces()
            key = self._expect(_STRING)
            self._spaces()
            self._need(b":")
            self._value((*path, key[1].decode()), depth + 1)
            self._spaces()
            if self._skip(b"}"):
                return
            self._need(b",")

    def _array(self, path: tuple[str, ...], depth: int) -> None:
        self._at += 1
        self._spaces()
        if self._skip(b"]"):
            return
        index = 0
        while True:
            self._value((*path, str(index)), depth + 1)
            index += 1
            self._spaces()
            if self._skip(b"]"):
                return
            self._need(b",")

    def _levels(self, path: tuple[str, ...]) -> None:
        found = self._expect(_LEVELS)
        self._add(path, "levels", found.start(), found.end())

    def _take_rows(self, path: tuple[str, ...], depth: int) -> None:
        if self._head is not None:
            raise _NoLayout  # rows in two places
        self._at += 1
        if self._frame[self._at : self._at + 1] == b"]":
            raise _NoLayout  # no row to learn from
        # the text before the first field of the first row begins the row; the head keeps what is before the bracket
        head_end = self._at
        self._head = [*self._fields, Field((*path, "["), "word", self._frame[self._begin : head_end], b"")]
        self._rows = []
        while True:
            self._fields = []
            self._begin = self._at
            self._value((*path, "[]"), depth + 1)
            self._rows.append((self._fields, self._frame[self._begin : self._at]))
            if self._skip(b"]"):
                break
            self._need(b",")
        self._fields = []
        self._begin = self._at - 1

    def _add(self, path: tuple[str, ...], kind: FieldKind, start: int, end: int) -> None:
        self._count += 1
        if self._count > FIELDS_MAX:
            raise _NoLayout
        self._fields.append(Field(path, kind, self._frame[self._begin : start], self._frame[start:end]))
        self._begin = end

    def _expect(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self._frame, self._at)
        if found is None:
            raise _NoLayout
        self._at = found.end()
        return found

    def _spaces(self) -> None:
        self._at = self._expect(_SPACE).end()

    def _skip(self, byte: bytes) -> bool:
        if self._frame[self._at : self._at + 1] != byte:
            return False
        self._at += 1
        return True

    def _need(self, byte: bytes) -> None:
        if not self._skip(byte):
            raise _NoLayout
