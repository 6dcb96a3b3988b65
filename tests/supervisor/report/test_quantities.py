"""Quantities as text."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.report.quantities import duration, mebibytes, microseconds, milliseconds, quantity


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.0s"),
        (9.94, "9.9s"),
        (59.9, "59s"),
        (185, "3m05s"),
        (2 * 3600 + 425, "2h07m"),
        (3 * 86400 + 4 * 3600, "3d04h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0"), (9_999, "9999"), (12_345, "12.3k"), (4_100_000, "4.1M"), (2e9, "2.0G")],
)
def test_quantities(number: float | None, text: str) -> None:
    assert quantity(number) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "-"), (130.4, "130us"), (34_000.0, "34ms"), (12_000_000.0, "12s")]
)
def test_microseconds(value: float | None, text: str) -> None:
    assert microseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.0, "0.0ms"), (34.4, "34ms"), (12_000.0, "12s")])
def test_milliseconds(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0, "-"), (20 << 20, "20M")])
def test_mebibytes(value: float | None, text: str) -> None:
    assert mebibytes(value) == text
