"""Empty sides of a quote, in every spelling."""

from __future__ import annotations

import pytest

from foxtrot_workers.adapter.quote_side import price_or_none, quoted


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
