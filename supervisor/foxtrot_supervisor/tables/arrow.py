"""Rows as Arrow tables: the schema of each kind, and the conversion of events, column by column.

Needs pyarrow, the extra ``record``. Numbers are split by Arrow itself where their text is plain, which is nearly always
so; what is not plain goes through `numbers.split_number`, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from foxtrot_protocol.events import BookSnapshot
from foxtrot_supervisor.tables.columns import COMMON, Column, ColumnType, Table
from foxtrot_supervisor.tables.numbers import PLAIN_NUMBER, PRECISION, SCALE, split_number

__all__ = ["SORT_KEYS", "Row", "arrow_batch", "arrow_schema"]


class Row(Protocol):
    """One event to be written; `foxtrot_supervisor.sinks.sink.SinkRow` is one."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def connection(self) -> str: ...
    @property
    def event(self) -> Any: ...


SORT_KEYS = ("symbol", "receive_time", "row")
"""Order of the rows in a file."""

_DECIMAL = pa.decimal128(PRECISION, SCALE)
_TIME = pa.timestamp("ns", "UTC")

_NUMBER_TYPES = (("", _DECIMAL), ("_decimals", pa.int8()), ("_text", pa.string()))

_LEVEL = pa.struct([(name + suffix, type_) for name in ("price", "size") for suffix, type_ in _NUMBER_TYPES])

_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "levels": pa.list_(_LEVEL),
    "time": _TIME,
    "flag": pa.bool_(),
    "integer": pa.int64(),
    "real": pa.float64(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Return the columns of the files of `table`."""
    fields: list[tuple[str, pa.DataType]] = []
    for column in table.columns:
        if column.type == "number":
            fields += [(column.name + suffix, type_) for suffix, type_ in _NUMBER_TYPES]
        else:
            fields.append((column.name, _TYPES[column.type]))
    return pa.schema(fields)


def arrow_batch(table: Table, rows: Sequence[Row]) -> pa.RecordBatch:
    """Return `rows`, all of them of `table`, as columns."""
    events = [row.event for row in rows]
    arrays: list[pa.Array] = []
    for column in table.columns:
        if column.type == "number":
            arrays += _numbers(list(map(attrgetter(column.field), events)))
        elif column.type == "levels":
            arrays.append(_levels(list(map(attrgetter(column.field), events))))
        else:
            arrays.append(_plain(column, rows, events))
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(table))


_OF_ROWS = frozenset(column.name for column in COMMON if not column.field)


def _plain(column: Column, rows: Sequence[Row], events: Sequence[Any]) -> pa.Array:
    if column.name == "type":
        values = ["snapshot" if event.__class__ is BookSnapshot else "delta" for event in events]
    elif column.name in _OF_ROWS:
        values = list(map(attrgetter("number" if column.name == "row" else column.name), rows))
    else:
        values = list(map(attrgetter(column.field), events))
    if column.type == "time":
        return pa.array([value or None for value in values], pa.int64()).cast(_TIME)
    return pa.array(values, _TYPES[column.type])


def _numbers(texts: Sequence[str | None]) -> list[pa.Array]:
    """Return the three columns of `numbers` for decimal texts."""
    given = pa.array(texts, pa.string())
    plain = pc.match_substring_regex(given, PLAIN_NUMBER)
    if pc.all(plain).as_py() is not False:  # no texts at all: null
        return [given.cast(_DECIMAL), _decimals(given), pa.nulls(len(texts), pa.string())]
    odd = pc.fill_null(pc.invert(plain), False)
    split = [split_number(text) for text in given.filter(odd).to_pylist()]
    kept = pc.if_else(odd, pa.scalar(None, pa.string()), given)
    columns = (kept.cast(_DECIMAL), _decimals(kept), pa.nulls(len(texts), pa.string()))
    fills = zip(*split, strict=True)
    return [
        pc.replace_with_mask(column, odd, pa.array(fill, column.type))
        for column, fill in zip(columns, fills, strict=True)
    ]


def _decimals(texts: pa.Array) -> pa.Array:
    """Return the digits behind the point of plain texts."""
    point = pc.find_substring(texts, ".")
    digits = pc.subtract(pc.subtract(pc.binary_length(texts), point), 1)
    return pc.if_else(pc.equal(point, -1), 0, digits).cast(pa.int8())


def _levels(sides: Sequence[Sequence[tuple[str, str]]]) -> pa.Array:
    """Return the levels of each event as a list of structs."""
    offsets = [0]
    prices: list[str] = []
    sizes: list[str] = []
    for side in sides:
        for price, size in side:
            prices.append(price)
            sizes.append(size)
        offsets.append(len(prices))
    levels = pa.StructArray.from_arrays([*_numbers(prices), *_numbers(sizes)], fields=list(_LEVEL))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), levels, type=_TYPES["levels"])
