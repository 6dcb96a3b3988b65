"""How one key of the configuration is declared: range, description, and what holds without it.

A key's type and default are those of its field in `schema`; a `Setting` in the field's annotation says the rest. The
checks, the example file and docs/configuration.md are derived from these declarations and from nothing else.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

__all__ = ["SECONDS_MAX", "Key", "Range", "Setting", "keys_of", "number_text"]

SECONDS_MAX = 7 * 86_400.0
"""Largest time that can be configured, in seconds (a week): a longer one is a mistaken unit."""


class Range(Struct, frozen=True):
    """Allowed numbers: from `least` (excluded if `above`) to `most`."""

    least: float
    most: float
    above: bool = False

    def reason(self, value: float) -> str | None:
        """Return why `value` is not allowed, None if it is; NaN never is."""
        if self.least <= value <= self.most and not (self.above and value == self.least):
            return None
        low = f"{'more than' if self.above else 'at least'} {number_text(self.least)}"
        return f"must be {low} and at most {number_text(self.most)}, not {number_text(value)}"


class Setting(Struct, frozen=True, kw_only=True):
    """What is declared of a key beside its type and default."""

    description: str
    """One sentence, as it stands in the example file and in the reference."""
    range: Range | None = None
    """Allowed numbers; None: no number, or any."""
    allowed: str = ""
    """Allowed values where neither the type nor `range` says them, as Markdown."""
    unset: str = ""
    """What holds without the key, as Markdown, where the default alone does not say it."""
    example: Any = None
    """Value shown in the example file where the default is none or empty."""
    more: str = ""
    """Further sentences of the reference, as Markdown."""


class Key(Struct, frozen=True):
    """One key of a table: its declaration, complete."""

    name: str
    hint: Any
    """Type of the value; None is left out, since TOML has none."""
    default: Any
    """`msgspec.NODEFAULT`: the key is required."""
    setting: Setting

    @property
    def unit(self) -> str:
        """What the value is, with its unit: ``seconds``, ``MiB``, ``text``, ``a list of texts``, …"""
        for suffix, unit in (("_s", "seconds"), ("_ms", "milliseconds"), ("_mib", "MiB")):
            if self.name.endswith(suffix) and self.hint in (int, float):
                return unit
        if typing.get_origin(self.hint) is list:
            return "list of texts"
        return {str: "text", bool: "true or false", int: "whole number", float: "number"}.get(self.hint, "text")

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed texts, empty if they are not a fixed set."""
        return typing.get_args(self.hint) if typing.get_origin(self.hint) is Literal else ()


@functools.cache
def keys_of(table: type[Struct]) -> Mapping[str, Key]:
    """Return the keys of `table` (a class of `schema`) by name, in their order."""
    hints = typing.get_type_hints(table, include_extras=True)
    keys = {}
    for field in msgspec.structs.fields(table):
        hint, setting = typing.get_args(hints[field.name])
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        keys[field.name] = Key(field.name, _without_none(hint), default, setting)
    return keys


def number_text(value: float) -> str:
    """Return `value` as a person writes it, at most 12 digits."""
    try:
        return f"{value:.12g}"
    except OverflowError:  # an integer beyond any float
        return "a number that large"


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint
