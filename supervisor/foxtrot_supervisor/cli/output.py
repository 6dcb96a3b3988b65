"""Results on stdout: JSON for programs, tables for people."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from foxtrot_protocol import standard_streams

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["PIPE_COLUMNS", "emit", "output_ended", "print_table", "write_lines", "write_text"]

PIPE_COLUMNS = 140
"""Width of tables that are written to a file or a pipe, in characters."""


def emit(value: object) -> None:
    """Write one JSON object on stdout, as UTF-8 whatever the terminal's encoding."""
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a path that is not UTF-8: escaped as surrogates
        data = json.dumps(msgspec.to_builtins(value)).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def write_lines(lines: Iterable[object]) -> None:
    """Write each of `lines` as a line of JSON on stdout and flush."""
    encode = msgspec.json.Encoder().encode_lines
    sys.stdout.buffer.write(encode(list(lines)))
    sys.stdout.buffer.flush()


def write_text(text: str) -> None:
    """Write `text` on stdout, as UTF-8 whatever the terminal's encoding, and flush."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def output_ended() -> bool:
    """Whether stdout accepts no more output, so that a streaming command has to end."""
    return standard_streams.output_error() is not None


def print_table(render: Callable[[int], RenderableType], pipe_columns: int = PIPE_COLUMNS) -> None:
    """Print what `render` returns for the width of the terminal, or for `pipe_columns` where stdout is no terminal."""
    console = importlib.import_module("rich.console").Console(width=None if sys.stdout.isatty() else pipe_columns)
    console.print(render(console.width))
