"""Rows as text of COPY."""

from __future__ import annotations

import datetime

import pytest

from foxtrot_protocol.events import BookDelta, Quote
from foxtrot_supervisor.sinks.postgresql.rows import copy_line, row_values
from foxtrot_supervisor.sinks.postgresql.schema import TABLES
from tests.support.sink_rows import NOW_NS, every_kind, rows_of, trade_rows, with_event


def test_each_row_has_a_value_for_each_column() -> None:
    for row in every_kind():
        values = dict(zip((column.name for column in TABLES[row.kind]), row_values(row), strict=True))
        assert values["key"] == row.key
        for column in TABLES[row.kind]:
            assert values[column.name] is not None or not column.required


def test_a_row_of_a_trade() -> None:
    (row,) = trade_rows(1, 1)
    assert copy_line(row_values(row)) == (
        f"2026-05-28 20:26:40.123457+00:00\t{row.key}\tSIM\tBTCUSDT\tone\t{NOW_NS + 1000}\t{NOW_NS + 1}\t"
        "100.10\t0.50\tbuy\t1\t1\tf\tf\n"
    )


def test_the_time_is_that_of_receipt_where_the_exchange_sends_none() -> None:
    (row,) = rows_of([Quote("SIM", "X", 0, 1_999, None, None, None, None, "")])
    assert row_values(row)[0] == datetime.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=datetime.UTC)


def test_a_time_beyond_the_calendar() -> None:
    with pytest.raises(OverflowError):
        row_values(with_event(trade_rows(1, 1)[0], exchange_ns=2**80))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\\N"),
        ("\\N", "\\\\N"),
        ("", ""),
        ("a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e"),
        (True, "t"),
        (0.25, "0.25"),
        ((), "{}"),
        (("1", "NULL"), '{"1","NULL"}'),
        (('a"b\\c\n',), '{"a\\\\"b\\\\\\\\c\\n"}'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert copy_line([value]) == f"{text}\n"


def test_levels_are_two_lists_for_each_side() -> None:
    (row,) = rows_of([BookDelta("SIM", "X", 1, 2, [("1", "2.0"), ("3", "4")], [], "5", "6", None)])
    assert row_values(row)[7:15] == ("delta", ("1", "3"), ("2.0", "4"), (), (), "5", "6", None)
