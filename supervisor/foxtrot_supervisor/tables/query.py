"""Queries over a recording, by DuckDB (the extra ``query``): read only, and nothing but the recording can be read."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from foxtrot_supervisor.tables.files import published_files
from foxtrot_supervisor.tables.views import all_views, glob_escaped, quoted

__all__ = ["CHUNK_ROWS", "REASON_LINES", "Query", "QueryRefused", "QueryUnavailable", "Result", "opened"]

CHUNK_ROWS = 2_048
"""Rows that are fetched together."""

REASON_LINES = 8
"""Lines of DuckDB's message that are kept: some list every function of a name."""

_NESTED = frozenset(("list", "struct", "map", "array", "union", "json"))
_FLOATS = frozenset(("double", "float"))
"""Types that have values which JSON lacks."""


class QueryUnavailable(Exception):
    """DuckDB is not installed, or there is no recording; the text says what to do."""


class QueryRefused(Exception):
    """The statement cannot be run; the text says why."""


class Result(NamedTuple):
    """Names of the columns, and the rows as texts (None: null)."""

    columns: Sequence[str]
    rows: Iterator[tuple[str | None, ...]]


class Query:
    """A connection with the views of one recording."""

    def __init__(self, duckdb: ModuleType, connection: Any) -> None:
        self._errors = duckdb.Error
        self._connection = connection

    def texts(self, statement: str) -> Result:
        """Run a SELECT; nested values are JSON, times are UTC. Raises `QueryRefused`, also while rows are read."""
        inner, columns = self._described(statement)
        parts = []
        for name, kind in columns:
            value = f"to_json({_name(name)})" if kind in _NESTED else _name(name)
            parts.append(f"{value}::VARCHAR")
        self._execute(f"SELECT {', '.join(parts)} FROM {inner}")  # noqa: S608
        return Result([name for name, _kind in columns], self._fetched())

    def json_lines(self, statement: str) -> Iterator[str]:
        """Run a SELECT and return each row as a JSON object; NaN and infinite become null. Raises as `texts`."""
        inner, columns = self._described(statement)
        parts = []
        for name, kind in columns:
            column = _name(name)
            value = f"CASE WHEN isfinite({column}) THEN {column} END" if kind in _FLOATS else column
            parts.append(f"{value} AS {column}")
        self._execute(f"SELECT to_json(foxtrot)::VARCHAR FROM (SELECT {', '.join(parts)} FROM {inner}) AS foxtrot")  # noqa: S608
        return (str(line) for (line,) in self._fetched())

    def _described(self, statement: str) -> tuple[str, list[tuple[str, str]]]:
        """Return the one SELECT in `statement` as a table expression, and its columns with the kinds of their types."""
        with self._refusals():
            statements = self._connection.extract_statements(statement)
        if len(statements) != 1:
            raise QueryRefused(f"{len(statements)} statements: exactly one is expected")
        kind = statements[0].type.name
        if kind not in ("SELECT", "MULTI"):  # MULTI: a PIVOT
            raise QueryRefused(f"{kind}: only queries are run (SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, …)")
        inner = f"({str(statements[0].query).strip().rstrip(';')}\n) AS foxtrot_query"
        with self._refusals():
            shape = self._connection.sql(f"SELECT * FROM {inner}")  # noqa: S608
        return inner, [(name, str(type_.id)) for name, type_ in zip(shape.columns, shape.types, strict=True)]

    def _execute(self, statement: str) -> None:
        with self._refusals():
            self._connection.execute(statement)

    def _fetched(self) -> Iterator[tuple[Any, ...]]:
        while True:
            with self._refusals():
                rows = self._connection.fetchmany(CHUNK_ROWS)
            if not rows:
                return
            yield from rows

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            lines = str(error).strip().split("\n")
            raise QueryRefused("\n".join(lines[:REASON_LINES])) from None


@contextlib.contextmanager
def opened(directory: str, *, exact: bool = False) -> Iterator[Query]:
    """Yield the views of the recording in `directory`, as it is now.

    Args:
        directory: of the recording.
        exact: views have the columns of the files as they are (`views`).

    Raises:
        QueryUnavailable: DuckDB is not installed, or there is no recording.
    """
    try:
        duckdb = importlib.import_module("duckdb")
    except ImportError as error:
        raise QueryUnavailable(f"needs duckdb ({error}): pip install 'foxtrot-supervisor[query]'") from None
    directory = os.path.abspath(directory)
    files: dict[str, list[str]] = {}
    try:
        os.scandir(directory).close()
        for partition, _file_name, entry in published_files(directory):
            files.setdefault(partition.kind, []).append(entry.path)
    except OSError as error:
        raise QueryUnavailable(f"{error.filename}: {error.strerror}") from None
    if not files and not os.path.isdir(os.path.join(directory, ".foxtrot")):
        raise QueryUnavailable(f"{directory} is no recording of Parquet files")
    with tempfile.TemporaryDirectory(prefix="foxtrot-query-") as spill, duckdb.connect(":memory:") as connection:
        try:
            connection.execute(f"SET temp_directory = {quoted(spill)}")
            connection.execute("SET TimeZone = 'UTC'")
            for statement in all_views({kind: sorted(paths) for kind, paths in files.items()}, exact=exact):
                connection.execute(statement)
            allowed = f"{quoted(directory)}, {quoted(glob_escaped(directory))}"  # as it is, and as views name it
            connection.execute(f"SET allowed_directories = [{allowed}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise QueryUnavailable(f"{directory} cannot be read: {error}") from None
        yield Query(duckdb, connection)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
