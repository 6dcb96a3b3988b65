"""Tables of the PostgreSQL sink: one for each kind of event, and the SQL that creates, checks and fills them. Pure.

The primary key of each table begins with its time column, so that the table can be made a TimescaleDB hypertable or be
partitioned by time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from foxtrot_supervisor.sinks.sink import EventKind

__all__ = [
    "COLUMNS_SQL",
    "KEYS_SQL",
    "TABLES",
    "Column",
    "copy_sql",
    "create_sql",
    "insert_sql",
    "is_schema_name",
    "schema_problems",
    "stage_sql",
]


class Column(Struct, frozen=True):
    """One column; `type` as ``information_schema`` names it, arrays with ``[]``."""

    name: str
    type: str
    required: bool = True


_T, _N, _I, _B, _NS = "text", "numeric", "bigint", "boolean", "numeric[]"

_FIRST: Final = (
    Column("time", "timestamp with time zone"),
    Column("key", _T),
    Column("exchange", _T),
    Column("symbol", _T),
    Column("connection", _T),
    Column("exchange_ns", _I),
    Column("receive_ns", _I),
)
_LAST: Final = (Column("redelivered", _B), Column("backfilled", _B))


def _maybe(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, _N, required=False) for name in names)


_OWN: Final[Mapping[EventKind, tuple[Column, ...]]] = {
    "trade": (
        Column("price", _N),
        Column("size", _N),
        Column("side", _T),
        Column("trade_id", _T),
        Column("count", _I),
    ),
    "quote": (*_maybe("bid", "bid_size", "ask", "ask_size"), Column("update_id", _T)),
    "book": (
        Column("type", _T),
        Column("bid_prices", _NS),
        Column("bid_sizes", _NS),
        Column("ask_prices", _NS),
        Column("ask_sizes", _NS),
        Column("first_id", _T, required=False),
        Column("last_id", _T, required=False),
        Column("checksum", _I, required=False),
    ),
    "ticker": _maybe("last", "open", "high", "low", "volume", "turnover", "bid", "bid_size", "ask", "ask_size"),
    "candle": (
        Column("interval", _T),
        Column("start_ns", _I),
        Column("open", _N),
        Column("high", _N),
        Column("low", _N),
        Column("close", _N),
        Column("volume", _N),
        Column("closed", _B),
    ),
    "funding": (Column("rate", _N), Column("next_ns", _I)),
    "mark_price": (Column("price", _N),),
    "open_interest": (Column("size", _N),),
    "liquidation": (Column("side", _T), Column("price", _N), Column("size", _N)),
    "status": (Column("topic", _T), Column("state", _T), Column("age_s", "double precision")),
    "gap": (
        Column("stream", _T),
        Column("first_id", _T, required=False),
        Column("last_id", _T, required=False),
        Column("start_ns", _I),
        Column("end_ns", _I),
        Column("cause", _T),
        Column("filled", _B),
    ),
}

TABLES: Final[Mapping[EventKind, tuple[Column, ...]]] = {kind: (*_FIRST, *own, *_LAST) for kind, own in _OWN.items()}
"""Columns of each table, in the order in which rows are copied."""

COLUMNS_SQL: Final = (
    "select table_name, column_name, "
    "case data_type when 'ARRAY' then substr(udt_name, 2) || '[]' else data_type end, "
    "is_nullable = 'YES' or column_default is not null or is_generated = 'ALWAYS' "
    "from information_schema.columns where table_schema = %s"
)
"""Yields table, column, type, and whether a row may leave it out; its parameter is the schema."""

KEYS_SQL: Final = (
    "select t.relname, array_agg(a.attname::text order by k.place) from pg_index i "
    "join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace "
    "cross join lateral unnest(i.indkey) with ordinality as k (number, place) "
    "join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number "
    "where n.nspname = %s and i.indisunique and i.indpred is null group by t.relname, i.indexrelid"
)
"""Yields table and columns of each unique index; its parameter is the schema."""

_SCHEMA_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)


def is_schema_name(text: str) -> bool:
    """Return whether `text` may be the name of the schema: it needs no quoting rules but quotes."""
    return _SCHEMA_NAME.fullmatch(text) is not None


def create_sql(schema: str) -> list[str]:
    """Return the statements that create what is missing of schema and tables."""
    statements = [f'create schema if not exists "{schema}"']
    for kind, columns in TABLES.items():
        lines = [f'"{column.name}" {column.type}{" not null" if column.required else ""}' for column in columns]
        lines.append('primary key ("time", "key")')
        statements.append(f'create table if not exists "{schema}"."{kind}" (\n    ' + ",\n    ".join(lines) + "\n)")
        statements.append(
            f'create index if not exists "{kind}_symbol_time" on "{schema}"."{kind}" ("exchange", "symbol", "time")'
        )
    return statements


def stage_sql(kind: EventKind, schema: str) -> str:
    """Return the statement that makes the session's staging table of a kind; it is empty after each commit."""
    names = ", ".join(_names(kind))
    shape = f'select {names} from "{schema}"."{kind}" with no data'  # noqa: S608  # names are ours, or were checked
    return f'create temporary table if not exists "{_stage(kind)}" on commit delete rows as {shape}'


def copy_sql(kind: EventKind) -> str:
    """Return the COPY of rows into the staging table."""
    return f'copy pg_temp."{_stage(kind)}" ({", ".join(_names(kind))}) from stdin'


def insert_sql(kind: EventKind, schema: str) -> str:
    """Return the statement that moves staged rows into the table; those whose key is there change nothing."""
    names = ", ".join(_names(kind))
    staged = f'select {names} from pg_temp."{_stage(kind)}"'  # noqa: S608  # names are ours, or were checked
    return f'insert into "{schema}"."{kind}" ({names}) {staged} on conflict ("time", "key") do nothing'


def schema_problems(
    schema: str,
    columns: Mapping[str, Mapping[str, tuple[str, bool]]],
    keys: Mapping[str, Sequence[Sequence[str]]],
) -> list[str]:
    """Return what keeps the tables that were found from being used, each with its remedy.

    `columns`: type and whether it may be left out, by table and column. `keys`: columns of unique indexes, by table.
    """
    found = []
    for kind, wanted in TABLES.items():
        there = columns.get(kind)
        name = f"{schema}.{kind}"
        if there is None:
            found.append(f"table {name} is missing: set create = true, or create it")
            continue
        for column in wanted:
            type_, _ = there.get(column.name, ("", True))
            if not type_:
                found.append(f'table {name}: alter table {name} add column "{column.name}" {column.type}')
            elif type_ != column.type:
                found.append(f'table {name}: column "{column.name}" is {type_}, not {column.type}')
        ours = {column.name for column in wanted}
        for extra, (_, optional) in there.items():
            if extra not in ours and not optional:
                found.append(f'table {name}: column "{extra}" is not ours and is required')
        if not any(sorted(key) == ["key", "time"] for key in keys.get(kind, ())):
            found.append(f'table {name}: has no unique key ("time", "key"), rows could be doubled')
    return found


def _names(kind: EventKind) -> list[str]:
    return [f'"{column.name}"' for column in TABLES[kind]]


def _stage(kind: EventKind) -> str:
    return f"foxtrot_{kind}"
