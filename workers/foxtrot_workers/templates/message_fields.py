"""Which fields a decoder reads of a frame, and what it accepts there: from the type it decodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, inspect

from foxtrot_workers.templates.frame_layout import Lists

__all__ = ["INTEGER_MAX", "Accepts", "MessageFields", "read_fields"]

INTEGER_MAX = 10**18 - 1
"""Largest number that the compiled matcher reads."""

LEVEL_PARTS_MAX = 8
"""Elements of a level of which all but the first two are known to be skipped."""

Accepts: TypeAlias = Literal["integer", "text", "word", "number", "levels", "skipped", "other"]
"""What a decoder takes: a whole number, a string, ``true`` or ``false``, the text of a bare number or a string
(`foxtrot_workers.adapter.number_text`), levels; ``skipped``: nothing reads it;
``other``: what templates do not copy, so that only a constant matches.
"""


class MessageField(Struct, frozen=True):
    """A field that is read. `least` and `most` bound an integer; `extra`: levels may have further elements."""

    accepts: Accepts
    least: int = 0
    most: int = INTEGER_MAX
    as_text: bool = False
    """An integer may be sent as a string."""
    extra: bool = False
    bare: bool = False
    """Levels may hold bare numbers."""
    choices: bool = False
    """A text that is one of few."""


SKIPPED = MessageField("skipped")


class MessageFields(Struct, frozen=True):
    """All fields that a decoder reads, by path, and the lists whose length varies."""

    fields: Mapping[tuple[str, ...], MessageField]
    lists: Lists


def read_fields(decoder: msgspec.json.Decoder[Any], *, levels: bool) -> MessageFields:
    """Return what `decoder` reads; fields that are not listed are skipped by it.

    `levels`: whether lists of levels are copied as a whole; otherwise the first level of each counts as two fields.
    """
    walk = _Walk(strict=decoder.strict, levels=levels, numbers_as_text=decoder.float_hook is str)
    walk.enter(inspect.type_info(decoder.type), ())
    return MessageFields(walk.fields, walk.lists)


class _Walk:
    def __init__(self, *, strict: bool, levels: bool, numbers_as_text: bool) -> None:
        self._strict = strict
        self._levels = levels
        self._numbers_as_text = numbers_as_text
        self.fields: dict[tuple[str, ...], MessageField] = {}
        self.lists: dict[tuple[str, ...], Literal["rows", "levels"]] = {}

    def enter(self, kind: inspect.Type, path: tuple[str, ...]) -> None:
        kind = _without_none(kind)
        if isinstance(kind, inspect.StructType):
            for index, field in enumerate(kind.fields):
                name = str(index) if kind.array_like else field.encode_name
                self.enter(field.type, (*path, name))
        elif isinstance(kind, inspect.ListType):
            self._enter_list(_without_none(kind.item_type), path)
        else:
            self.fields[path] = self._scalar(kind)

    def _enter_list(self, item: inspect.Type, path: tuple[str, ...]) -> None:
        width = self._level(item)
        if width is None and isinstance(item, inspect.StructType) and "rows" not in self.lists.values():
            self.lists[path] = "rows"
            self.enter(item, (*path, "[]"))
        elif width is None or not self._levels:
            self.fields[path] = MessageField("other")
            if width is not None:
                part = MessageField("number") if width.bare else MessageField("text")
                self.fields[*path, "0", "0"] = self.fields[*path, "0", "1"] = part
                if width.extra:
                    self.fields.update({(*path, "0", str(index)): SKIPPED for index in range(2, LEVEL_PARTS_MAX)})
        else:
            self.lists[path] = "levels"
            self.fields[path] = width

    def _scalar(self, kind: inspect.Type) -> MessageField:
        if isinstance(kind, inspect.AnyType) and self._numbers_as_text:
            return MessageField("number")
        return _scalar(kind, self._strict)

    def _level(self, kind: inspect.Type) -> MessageField | None:
        """Return how levels of this type are read; None for what is no level."""
        if isinstance(kind, inspect.TupleType):
            parts, extra = kind.item_types, False
        elif isinstance(kind, inspect.StructType) and kind.array_like and not kind.forbid_unknown_fields:
            parts, extra = tuple(field.type for field in kind.fields), True
        else:
            return None
        if len(parts) != 2:
            return None
        if all(isinstance(part, inspect.StrType) for part in parts):
            return MessageField("levels", extra=extra)
        if self._numbers_as_text and all(isinstance(part, inspect.AnyType) for part in parts):
            return MessageField("levels", extra=extra, bare=True)
        return None


def _scalar(kind: inspect.Type, strict: bool) -> MessageField:
    if isinstance(kind, inspect.IntType):
        least = max(kind.ge if kind.ge is not None else 0, 0)
        most = INTEGER_MAX if kind.le is None else min(kind.le, INTEGER_MAX)
        plain = kind.gt is None and kind.lt is None and kind.multiple_of is None and least <= 1
        return MessageField("integer", least, most, as_text=not strict) if plain else MessageField("other")
    if isinstance(kind, inspect.StrType):
        plain = kind.min_length is None and kind.max_length is None and kind.pattern is None
        return MessageField("text" if plain else "other")
    if isinstance(kind, inspect.BoolType):
        return MessageField("word", choices=True)
    if isinstance(kind, inspect.LiteralType):
        return MessageField("text", choices=True)
    return MessageField("other")


def _without_none(kind: inspect.Type) -> inspect.Type:
    """Return the type that is left of a union with None or UNSET."""
    if isinstance(kind, inspect.Metadata):
        return _without_none(kind.type)
    if isinstance(kind, inspect.UnionType):
        rest = [each for each in kind.types if not isinstance(each, inspect.NoneType) and not _is_unset(each)]
        return _without_none(rest[0]) if len(rest) == 1 else kind
    return kind


def _is_unset(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.CustomType) and kind.cls is msgspec.UnsetType
