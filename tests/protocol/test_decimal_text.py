"""Zero in every spelling, and what only looks like it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.decimal_text import is_zero

ZEROS = ("0", "00", "0.", ".0", "0.0", "00.00", "-0", "+0", "-0.0", "0E-8", "0e8", "0.00E+300", ".0e1", "0" * 100)


@pytest.mark.parametrize("text", ZEROS)
def test_zero_is_recognized_by_value(text: str) -> None:
    assert is_zero(text)
    assert not Decimal(text)


@pytest.mark.parametrize(
    "text", ["", ".", "-", "+", "e", "0e", "E5", "--0", "0.0.0", "0x0", "1", "0.1", "0e1a", "-1E-8", "10"]
)
def test_what_is_no_zero(text: str) -> None:
    assert not is_zero(text)


@given(st.text(alphabet="0123456789+-.eE", max_size=12))
def test_it_agrees_with_arithmetic(text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        assert not is_zero(text)
    else:
        assert is_zero(text) == (number == 0)
