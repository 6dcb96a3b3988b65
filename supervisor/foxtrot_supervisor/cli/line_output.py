"""Events on stdout: JSON lines or CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from foxtrot_supervisor.cli.output import write_lines, write_text
from foxtrot_supervisor.tables.csv_lines import DEPTH_MAX, CsvLines

__all__ = ["format_option", "line_writer"]

WriteLines = Callable[[Sequence[dict[str, Any]]], None]


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--format``, as the argument ``form``, to a command that prints lines."""
    choice = click.Choice(["json", "csv"])
    return click.option("--format", "form", type=choice, default="json", show_default=True, help="Of the output.")(
        command
    )


def line_writer(
    form: str, kinds: Sequence[str], *, first: Sequence[str] = (), live: bool = False, depth: int | None = None
) -> WriteLines:
    """Return the function that writes lines; arguments but `form` as of `CsvLines`.

    The header of CSV is written at once. Raises `click.UsageError` for a depth that CSV has no columns for.
    """
    if form == "json":
        return write_lines
    if depth is not None and depth > DEPTH_MAX:
        raise click.UsageError(f"--format csv has columns for {DEPTH_MAX} levels at most, not {depth}")
    rows = CsvLines(kinds, first=first, live=live, depth=depth)
    write_text(rows.text([]))
    return lambda lines: write_text(rows.text(lines))
