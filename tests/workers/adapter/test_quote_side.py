"""Empty sides of a quote, in every spelling."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter.quote_side import price_or_none, quoted, quoted_numbers


@pytest.mark.parametrize("price", [None, "", "0", "0.00", "0E-8", "00.0", ".0", "-0"])
def test_a_missing_or_zero_price_makes_the_side_empty(price: str | None) -> None:
    assert quoted(price, "5") == (None, None)
    assert price_or_none(price) is None


@pytest.mark.parametrize("size", ["0", "0.00", "0E-8", "00.0", ".0", "-0"])
def test_a_size_of_zero_makes_the_side_empty(size: str) -> None:
    assert quoted("1.5", size) == (None, None)


@pytest.mark.parametrize(
    ("price", "size", "side"),
    [
        ("1.5", "2", ("1.5", "2")),
        ("0.00000001", "0.1", ("0.00000001", "0.1")),
        ("1E-8", "1e2", ("1E-8", "1e2")),
        ("1.5", None, ("1.5", None)),
        ("1.5", "", ("1.5", None)),
    ],
)
def test_a_side_with_a_size_is_unchanged(price: str, size: str | None, side: tuple[str, str | None]) -> None:
    assert quoted(price, size) == side
    assert price_or_none(price) == price
    assert quoted_numbers(price, size or None) == side


@pytest.mark.parametrize("number", [None, 0, "0", "0.00", "0E-8", "00.0", ".0", "-0"])
def test_bare_numbers_are_read_alike(number: str | int | None) -> None:
    assert quoted_numbers(number, "5") == (None, None)
    if number is not None:
        assert quoted_numbers("1.5", number) == (None, None)
    assert quoted_numbers(2, 3) == ("2", "3")
    assert quoted_numbers("0.05", 3) == ("0.05", "3")
    assert quoted_numbers("1E-8", "05.5") == ("1E-8", "05.5")


@pytest.mark.parametrize("value", [[], True, {}, ""])
def test_what_is_no_number_is_refused(value: object) -> None:
    for price, size in ((value, "1"), ("1", value)):
        with pytest.raises(msgspec.ValidationError):
            quoted_numbers(price, size)
