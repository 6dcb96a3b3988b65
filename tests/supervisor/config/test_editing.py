"""Edits of the configuration file: everything else stays as it is."""

from __future__ import annotations

import tomllib

import pytest

from foxtrot_supervisor.config.editing import CannotEdit, with_symbols

FILE = """\
# my file
[supervisor]
hung_s = 10.0  # seconds

[[connections]]
name = "lines"      # one entry a line
exchange = "sim"
symbols = [
    "BTCUSDT",  # the first
    "ETHUSDT",
    # others follow
]

[[connections]]
name = "row"
symbols = ["BTCUSDT", "ETHUSDT"]  # in a row

[[connections]]
name = "patterns"
symbols = ["*-USDT", "!XRPUSDT"]
"""


def symbols(text: str, name: str) -> list[str]:
    return next(each["symbols"] for each in tomllib.loads(text)["connections"] if each["name"] == name)


def test_a_symbol_is_added_in_the_layout_of_the_list() -> None:
    assert with_symbols(FILE, "row", ["SOLUSDT"], []) == FILE.replace('"ETHUSDT"]  #', '"ETHUSDT", "SOLUSDT"]  #')
    assert with_symbols(FILE, "lines", ["SOLUSDT"], []) == FILE.replace(
        "    # others follow\n", '    # others follow\n    "SOLUSDT",\n'
    )


def test_a_symbol_is_removed_and_the_comments_of_others_stay() -> None:
    assert with_symbols(FILE, "row", [], ["ethusdt"]) == FILE.replace('"BTCUSDT", "ETHUSDT"]', '"BTCUSDT"]')
    edited = with_symbols(FILE, "lines", [], ["ETHUSDT"])
    assert symbols(edited, "lines") == ["BTCUSDT"]
    assert "# the first" in edited
    assert "# others follow" in edited


def test_what_is_there_already_changes_nothing() -> None:
    assert with_symbols(FILE, "row", ["BTCUSDT"], []) == FILE
    assert with_symbols(FILE, "patterns", [], ["XRPUSDT"]) == FILE


def test_what_a_pattern_selects_is_excluded_and_included_again() -> None:
    without = with_symbols(FILE, "patterns", [], ["BTCUSDT"])
    assert symbols(without, "patterns") == ["*-USDT", "!XRPUSDT", "!BTCUSDT"]
    assert symbols(with_symbols(without, "patterns", ["BTCUSDT"], []), "patterns") == ["*-USDT", "!XRPUSDT"]


@pytest.mark.parametrize(
    ("connection", "removed", "reason"),
    [
        ("row", ["SOLUSDT"], "connection 'row' has no symbol 'SOLUSDT'"),
        ("nowhere", ["X"], "no connection 'nowhere' with symbols"),
    ],
)
def test_what_cannot_be_edited(connection: str, removed: list[str], reason: str) -> None:
    with pytest.raises(CannotEdit, match=reason):
        with_symbols(FILE, connection, [], removed)


@pytest.mark.parametrize("text", ["[[connections", "connections = 1", '[[connections]]\nname = "row"\nsymbols = "x"'])
def test_files_without_such_a_list(text: str) -> None:
    with pytest.raises(CannotEdit):
        with_symbols(text, "row", ["A"], [])


def test_line_ends_and_marks_stay() -> None:
    windows = "\ufeff" + FILE.replace("\n", "\r\n")
    edited = with_symbols(windows, "row", ["SOLUSDT"], [])
    assert edited.startswith("\ufeff# my file\r\n")
    assert edited.count("\r\n") == edited.count("\n") == windows.count("\n")


def test_tables_in_a_row() -> None:
    inline = 'connections = [{name = "row", symbols = ["A"]}]\n'
    assert symbols(with_symbols(inline, "row", ["B"], []), "row") == ["A", "B"]
