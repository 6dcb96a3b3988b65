"""The command `query`: runs SQL over a recording of Parquet files."""

from __future__ import annotations

import csv
import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import absolute, config_option, interruptible, known_errors, surroundings
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import output_ended, write_lines, write_text
from foxtrot_supervisor.cli.text_table import table_lines
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.tables.columns import TABLES
from foxtrot_supervisor.tables.query import Query, QueryRefused, QueryUnavailable, opened
from foxtrot_supervisor.tables.views import view_columns

__all__ = ["CHUNK_LINES", "TABLE_ROWS", "query"]

TABLE_ROWS = 1_000
"""Rows that a table for people shows."""

CHUNK_LINES = 1_000
"""Lines that are written together."""

_STATEMENT_CHARS_MAX = 1_000_000

Row = Sequence[str | None]


@click.command()
@click.argument("statement", required=False, metavar="SQL")
@click.option("--recording", "directory", metavar="DIR", help="Recording (default: that of the configuration's sink).")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--schema", is_flag=True, help="Show the views and their columns.")
@click.option("--exact", is_flag=True, help="Views have the columns of the files: decimals, decimal places, text.")
@config_option
@known_errors
def query(
    statement: str | None, directory: str | None, form: str, schema: bool, exact: bool, config_path: str | None
) -> None:
    """Run SQL over a recording of Parquet files.

    DuckDB runs it; nothing is changed, and only queries of the recording are run.

    Each kind of event is a view: trades, quotes, books, tickers, candles, funding, mark_prices, open_interest,
    liquidations, feed_states, gaps; and `events` has what all have in common. `-` reads SQL from stdin.

    \b
    foxtrot-supervisor query "select symbol, count(*), sum(price * size) from trades group by symbol"
    foxtrot-supervisor query "from gaps where not filled" --recording /data/rec --format json
    """
    interruptible()
    try:
        if schema:
            _write(("view", "column", "type", "meaning"), _schema_rows(exact), form)
            return
        if statement is None:
            raise click.UsageError("Missing argument 'SQL'; --schema shows the views.")
        if statement == "-":
            statement = sys.stdin.read(_STATEMENT_CHARS_MAX)
        with opened(
            absolute(directory) if directory is not None else _configured(config_path), exact=exact
        ) as recording:
            _run(recording, statement, form)
    except QueryUnavailable as error:
        raise Failure(str(error), SupervisorExit.START_FAILED) from None
    except QueryRefused as error:
        raise Failure(str(error), SupervisorExit.USAGE) from None
    except KeyboardInterrupt:
        raise Failure("interrupted", SupervisorExit.INTERNAL_ERROR) from None


def _configured(config_path: str | None) -> str:
    """Return the directory of the one recording that the configuration names."""
    path = config_path or discovery.find_config(surroundings(), os.path.isfile)
    if path is None:
        raise Failure("no configuration was found; name the recording with --recording DIR", SupervisorExit.USAGE)
    found = config_file.configured_recordings(path)
    if len(found) != 1:
        named = f"{len(found)} sinks of kind parquet" if found else "no sink of kind parquet"
        raise Failure(f"{path} has {named}; name the recording with --recording DIR", SupervisorExit.USAGE)
    return found[0]


def _run(recording: Query, statement: str, form: str) -> None:
    if form == "json":
        _write_text(f"{line}\n" for line in recording.json_lines(statement))
        return
    result = recording.texts(statement)
    _write(result.columns, result.rows, form)


def _schema_rows(exact: bool) -> Iterator[Row]:
    for table in TABLES.values():
        for column in view_columns(table, exact=exact):
            yield table.view, column.name, column.type, column.meaning


def _write(columns: Sequence[str], rows: Iterable[Row], form: str) -> None:
    if form == "json":
        write_lines(dict(zip(columns, row, strict=True)) for row in rows)
    elif form == "csv":
        _write_text(_csv_lines(columns, rows))
    else:
        _write_table(columns, iter(rows))


def _csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    lines: list[str] = []
    writer = csv.writer(_Appender(lines), lineterminator="\n")
    for row in itertools.chain([columns], rows):
        writer.writerow(row)
        yield lines.pop()


class _Appender:
    """What `csv.writer` writes to."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def _write_text(lines: Iterator[str]) -> None:
    """Write lines as UTF-8, until nobody reads them any more."""
    while chunk := list(itertools.islice(lines, CHUNK_LINES)):
        write_text("".join(chunk))
        if output_ended():
            return


def _write_table(columns: Sequence[str], rows: Iterator[Row]) -> None:
    shown = list(itertools.islice(rows, TABLE_ROWS))
    more = sum(1 for _ in rows) if len(shown) == TABLE_ROWS else 0

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    _write_text(f"{line}\n" for line in table_lines(columns, shown, width))
    if more:
        say(f"{more} more rows: --format csv or json shows all")
