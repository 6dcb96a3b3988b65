"""Decimal numbers that an exchange sends as bare JSON numbers: their text, digit for digit. Pure.

A binary float would lose the digits that a checksum needs. A decoder made by `number_decoder` leaves the text of
fields of the type `Number`, and `number_text` checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

__all__ = ["Number", "NumberLevel", "level_texts", "number_decoder", "number_text", "optional_number_text"]

T = TypeVar("T")

Number: TypeAlias = Any
"""Type of a field with a number, or a number as text: an int, or text of all other numbers. Anything else that is sent
there is let through by the decoder, and refused by `number_text`."""

NumberLevel: TypeAlias = tuple[Number, Number]
"""A level of a book: ``[price, size]``."""


def number_decoder(message: type[T]) -> Callable[[bytes], T]:
    """Return a function that decodes JSON into `message` and keeps the text of numbers in fields of type `Number`."""
    # the hook is called with the digits as text; `str` returns it as it is, without a call into Python
    return msgspec.json.Decoder(message, float_hook=str).decode


def number_text(value: Number) -> str:
    """Return the text of a `Number`. Raises `msgspec.ValidationError` if it is none, or empty."""
    if type(value) is str and value:
        return value
    if type(value) is int:
        try:
            return str(value)
        except ValueError as error:  # the interpreter bounds the digits of an integer
            raise msgspec.ValidationError(str(error)) from None
    raise msgspec.ValidationError(f"Expected `number`, got `{type(value).__name__}`")


def optional_number_text(value: Number | None) -> str | None:
    """Return the text of a `Number`, None for None. Raises `msgspec.ValidationError` if it is neither."""
    return None if value is None else number_text(value)


def level_texts(levels: Sequence[NumberLevel]) -> list[tuple[str, str]]:
    """Return levels as text. Raises `msgspec.ValidationError` where a price or size is no number."""
    return [
        (
            price if type(price) is str and price else number_text(price),
            size if type(size) is str and size else number_text(size),
        )
        for price, size in levels
    ]
