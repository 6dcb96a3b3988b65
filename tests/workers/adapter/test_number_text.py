from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from foxtrot_workers.adapter.number_text import (
    Number,
    NumberLevel,
    level_texts,
    number_decoder,
    number_text,
    optional_number_text,
)


class _Row(Struct):
    price: Number
    time: int = 0


_decode = number_decoder(_Row)


@pytest.mark.parametrize(
    "text", ["105944.20", "0.00000050", "5e-7", "9.121E-7", "-0.0", "1E400", "0", "7", "123456789012345678901234567890"]
)
def test_digits_are_kept_as_they_are_sent(text: str) -> None:
    assert number_text(_decode(b'{"price":%b}' % text.encode()).price) == text
    assert number_text(_decode(b'{"price":"%b"}' % text.encode()).price) == text


@pytest.mark.parametrize("text", ["null", "true", "false", "[]", "{}", '""', "[1.5]"])
def test_what_is_no_number_is_refused(text: str) -> None:
    row = _decode(b'{"price":%b}' % text.encode())
    with pytest.raises(msgspec.ValidationError, match="Expected `number`"):
        number_text(row.price)


def test_other_fields_are_typed() -> None:
    with pytest.raises(msgspec.ValidationError):
        _decode(b'{"price":1.5,"time":1.5}')


def test_an_optional_number_may_be_null() -> None:
    assert optional_number_text(None) is None
    assert optional_number_text("1.50") == "1.50"
    with pytest.raises(msgspec.ValidationError):
        optional_number_text([])


def test_levels_become_text() -> None:
    decode = number_decoder(list[NumberLevel])
    assert level_texts(decode(b'[[26.50,50],["1",2E-3],[3,4.0]]')) == [("26.50", "50"), ("1", "2E-3"), ("3", "4.0")]
    with pytest.raises(msgspec.ValidationError):
        decode(b"[[1,2,3]]")


@pytest.mark.parametrize("level", [[None, 1], [1, None], ["", 1], [1, ""], [[], 1], [True, 1]])
def test_a_level_without_price_or_size_is_refused(level: NumberLevel) -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `number`"):
        level_texts([(level[0], level[1])])


def test_an_integer_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        number_text(10**10_000)
