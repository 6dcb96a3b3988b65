"""Results on stdout: JSON whatever the encoding, tables of a given width."""

from __future__ import annotations

import json

import pytest
from rich.text import Text

from foxtrot_supervisor.cli.output import PIPE_COLUMNS, emit, print_table, write_lines


def test_emit_writes_one_line_of_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit({"symbol": "ä"})
    assert capfdbinary.readouterr().out == '{"symbol":"ä"}\n'.encode()


def test_emit_escapes_a_path_that_is_not_utf_8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit({"path": "/tmp/\udcff"})
    assert json.loads(capfdbinary.readouterr().out) == {"path": "/tmp/\udcff"}


def test_write_lines_writes_a_line_for_each_value(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_lines([{"a": 1}, {"a": 2}])
    assert capfdbinary.readouterr().out == b'{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize("columns", [PIPE_COLUMNS, 30])
def test_a_table_in_a_pipe_has_the_given_width(capfd: pytest.CaptureFixture[str], columns: int) -> None:
    print_table(lambda width: Text("x" * width), columns)
    assert capfd.readouterr().out == "x" * columns + "\n"
