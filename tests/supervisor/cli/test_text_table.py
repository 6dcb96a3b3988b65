"""Rows as text."""

from __future__ import annotations

from foxtrot_supervisor.cli.text_table import CELL_CHARS_MAX, table_lines

ROWS = [("BTCUSDT", "1"), ("X", None)]


def test_a_table_that_fits() -> None:
    expected = ["symbol   count", "BTCUSDT  1", "X"]
    assert list(table_lines(["symbol", "count"], ROWS, 14)) == expected
    assert list(table_lines(["symbol", "count"], ROWS, None)) == expected


def test_a_wider_table_is_shown_row_by_row() -> None:
    assert list(table_lines(["symbol", "count"], ROWS, 13)) == [
        "symbol  BTCUSDT",
        "count   1",
        "",
        "symbol  X",
        "count",
    ]


def test_without_rows_there_is_a_header() -> None:
    assert list(table_lines(["a", "b"], [], 80)) == ["a  b"]


def test_values_neither_move_the_cursor_nor_fill_the_screen() -> None:
    (_, line) = table_lines(["a"], [("x\x1b[2J\n" + "y" * 1000,)], None)
    assert line.startswith("x\\x1b[2J\\ny")
    assert line.endswith("y…")
    assert len(line) < CELL_CHARS_MAX + 20


def test_wide_characters_are_counted() -> None:
    assert list(table_lines(["a", "b"], [("全", "1")], None)) == ["a   b", "全  1"]
