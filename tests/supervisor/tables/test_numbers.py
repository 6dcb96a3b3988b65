"""Decimal text in three columns: given back digit for digit, never rounded."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.tables.numbers import PRECISION, SCALE, join_number, split_number


@pytest.mark.parametrize(
    ("text", "value", "decimals"),
    [
        ("64000.10", "64000.10", 2),
        ("0", "0", 0),
        ("0.000", "0.000", 3),
        ("-0.0001", "-0.0001", 4),
        ("0.000000000000000001", "1E-18", 18),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999", 18),
    ],
)
def test_plain_text_is_a_value_and_its_decimals(text: str, value: str, decimals: int) -> None:
    number = split_number(text)
    assert number == (Decimal(value), decimals, None)
    assert join_number(*number) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-8", "0.00000002"),
        ("6.45E-4", "0.000645"),
        ("+1", "1"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+50", "0"),
        ("1\n", "1"),
        (" 1", "1"),
        ("0.0000000000000000010", "1E-18"),
        ("0.0000000000000000001", None),
        ("100000000000000000000", None),
        ("1e400", None),
        ("NaN", None),
        ("Infinity", None),
        ("sNaN", None),
        ("", None),
        ("1_000", None),
        ("٣", None),
        ("1" * 2000, None),
        ("no number", None),
    ],
)
def test_other_text_is_kept_beside_its_value(text: str, value: str | None) -> None:
    number = split_number(text)
    assert number == (None if value is None else Decimal(value), None, text)
    assert join_number(*number) == text


def test_no_number_is_three_times_none() -> None:
    assert split_number(None) == (None, None, None)
    assert join_number(None, None, None) is None


@given(st.one_of(st.text(max_size=60), st.decimals().map(str), st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,22})?")))
def test_every_text_comes_back(text: str) -> None:
    number = split_number(text)
    assert join_number(*number) == text
    if number.value is not None:
        assert number.value == Decimal(text)
        digits = number.value.as_tuple().digits
        assert int(number.value.as_tuple().exponent) >= -SCALE
        assert len(digits) + max(0, int(number.value.as_tuple().exponent)) <= PRECISION or not number.value
