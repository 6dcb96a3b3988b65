"""SQL of the views that `query` makes over a recording, in DuckDB's dialect. Pure.

A view is made for calculations: numbers are DOUBLE (products of two decimal128(38, 18) overflow in every engine), with
the exact text of the exchange beside them (``price_text``); times are TIMESTAMP_NS in UTC, which can be subtracted.
Exact views have the columns of the files as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from foxtrot_supervisor.tables.columns import TABLES, Column, ColumnType, Table
from foxtrot_supervisor.tables.numbers import PRECISION, SCALE

__all__ = ["EVENTS_VIEW", "ViewColumn", "all_views", "glob_escaped", "quoted", "view_columns"]

EVENTS_VIEW = "events"
"""View of all kinds, with the columns that all have."""

_PLAIN_TYPES: dict[ColumnType, str] = {
    "text": "VARCHAR",
    "time": "TIMESTAMP_NS",
    "flag": "BOOLEAN",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "levels": "STRUCT(price DOUBLE, size DOUBLE)[]",
}

_DECIMAL = f"DECIMAL({PRECISION},{SCALE})"

_EXACT_TIME = "TIMESTAMPTZ_NS"

_NUMBER_TYPES = (("", _DECIMAL), ("_decimals", "TINYINT"), ("_text", "VARCHAR"))

_EXACT_LEVEL = ", ".join(f"{name}{suffix} {type_}" for name in ("price", "size") for suffix, type_ in _NUMBER_TYPES)

_FIRST = ("receive_time", "exchange_time", "connection", "exchange", "symbol")
_LAST = ("key", "publish_time", "redelivered", "backfilled", "row", "day")


class ViewColumn(NamedTuple):
    """One column of a view."""

    name: str
    type: str
    sql: str
    """Its expression over a file's columns."""
    meaning: str


def quoted(text: str) -> str:
    """Return `text` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def glob_escaped(path: str) -> str:
    """Return a pattern that matches the file `path` only."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def view_columns(table: Table, *, exact: bool) -> list[ViewColumn]:
    """Return the columns of the view of `table`, in order."""
    found = {
        "exchange": ViewColumn(
            "exchange", "VARCHAR", "exchange", "the adapter's name; null for gaps of whole connections"
        ),
        "day": ViewColumn("day", "DATE", "day", "UTC day of receipt"),
    }
    texts = []
    for column in table.columns:
        if column.type == "number" and not exact:
            made, text = _number(column)
            found[column.name] = made
            texts.append(text)
        elif column.type == "number":
            for suffix, type_ in _NUMBER_TYPES:
                name = column.name + suffix
                found[name] = ViewColumn(name, type_, _name(name), column.meaning if not suffix else "")
        else:
            found[column.name] = _exact(column) if exact else _plain(column)
    found.update((text.name, text) for text in texts)
    middle = [name for name in found if name not in _FIRST and name not in _LAST]
    return [found[name] for name in (*_FIRST, *middle, *_LAST)]


def all_views(files: dict[str, Sequence[str]], *, exact: bool) -> list[str]:
    """Return the statements that make all views; `files`: paths of the files of each kind."""
    statements = []
    for table in TABLES.values():
        columns = view_columns(table, exact=exact)
        paths = files.get(table.kind)
        if paths:
            listed = ", ".join(quoted(glob_escaped(path)) for path in paths)
            source = (
                f"read_parquet([{listed}], hive_partitioning = true, hive_types = "
                "{'day': DATE, 'exchange': VARCHAR, 'kind': VARCHAR, 'bucket': INTEGER})"
            )
            selected = ", ".join(f"{column.sql} AS {_name(column.name)}" for column in columns)
            statements.append(f"CREATE VIEW {_name(table.view)} AS SELECT {selected} FROM {source}")  # noqa: S608
        else:
            selected = ", ".join(f"NULL::{column.type} AS {_name(column.name)}" for column in columns)
            statements.append(f"CREATE VIEW {_name(table.view)} AS SELECT {selected} WHERE false")
    common = ", ".join(map(_name, (*_FIRST, *_LAST)))
    parts = (f"SELECT {quoted(table.kind)} AS kind, {common} FROM {_name(table.view)}" for table in TABLES.values())  # noqa: S608
    statements.append(f"CREATE VIEW {_name(EVENTS_VIEW)} AS {' UNION ALL '.join(parts)}")
    return statements


def _name(name: str) -> str:
    return f'"{name}"'


def _number(column: Column) -> tuple[ViewColumn, ViewColumn]:
    """Return the number and its text."""
    value, decimals, text = (_name(column.name + suffix) for suffix, _type in _NUMBER_TYPES)
    name = f"{column.name}_text"
    meaning = f"{column.name} as the exchange wrote it"
    return (
        ViewColumn(column.name, "DOUBLE", _double(value, text), column.meaning),
        ViewColumn(name, "VARCHAR", _text_of(value, decimals, text), meaning),
    )


def _double(value: str, text: str) -> str:
    """Return the expression of a number: rounded where the file has only its text, null where that is no number."""
    read = f"try_cast({text} AS DOUBLE)"
    return f"coalesce({value}::DOUBLE, CASE WHEN isfinite({read}) THEN {read} END)"


def _text_of(value: str, decimals: str, text: str) -> str:
    """Return the expression of a number's text: the rule of `numbers.join_number`."""
    digits = f"{value}::VARCHAR"
    kept = f"length({digits}) - {SCALE} + {decimals} - ({decimals} = 0)::INTEGER"
    return f"coalesce({text}, left({digits}, ({kept})::BIGINT))"


def _plain(column: Column) -> ViewColumn:
    name = _name(column.name)
    sql = name
    if column.type == "time":
        sql = f"make_timestamp_ns(epoch_ns({name}))"
    elif column.type == "levels":
        parts = ", ".join(f"'{part}': {_double(f'x.{part}', f'x.{part}_text')}" for part in ("price", "size"))
        sql = f"[{{{parts}}} FOR x IN {name}]"
    return ViewColumn(column.name, _PLAIN_TYPES[column.type], sql, column.meaning)


def _exact(column: Column) -> ViewColumn:
    types = {**_PLAIN_TYPES, "time": _EXACT_TIME, "levels": f"STRUCT({_EXACT_LEVEL})[]"}
    return ViewColumn(column.name, types[column.type], _name(column.name), column.meaning)
