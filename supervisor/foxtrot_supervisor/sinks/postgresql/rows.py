"""Rows of the PostgreSQL sink as text of COPY. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from foxtrot_protocol.events import BookSnapshot
from foxtrot_supervisor.sinks.postgresql.schema import TABLES
from foxtrot_supervisor.sinks.sink import SinkRow

__all__ = ["copy_line", "row_values"]

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def row_values(row: SinkRow) -> tuple[Any, ...]:
    """Return the values of the columns of the row's table, in order.

    Its time is the exchange's, of microseconds, or that of receipt where the exchange sends none. Raises OverflowError
    for a time beyond the calendar.
    """
    event = row.event
    time = _EPOCH + datetime.timedelta(microseconds=(event.exchange_ns or event.receive_ns) // 1000)
    first = (time, row.key, row.exchange, row.symbol, row.connection, event.exchange_ns, event.receive_ns)
    return (*first, *_OWN[row.kind](event), event.redelivered, event.backfilled)


def copy_line(values: Iterable[Any]) -> str:
    """Return one line of COPY's text format, with its line end."""
    return "\t".join(map(_text, values)) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return "\\N"
    if value.__class__ is str:
        return value.translate(_ESCAPES) if not value.isalnum() else value
    if value.__class__ is bool:
        return "t" if value else "f"
    if value.__class__ is tuple:
        # quoted: an element such as NULL, or with a comma, must stay text that numeric refuses or takes
        quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in value)
        return ("{" + ",".join(f'"{each}"' for each in quoted) + "}").translate(_ESCAPES)
    if value.__class__ is datetime.datetime:
        return value.isoformat(" ")
    return str(value)


def _book(event: Any) -> tuple[Any, ...]:
    return (
        "snapshot" if event.__class__ is BookSnapshot else "delta",
        tuple(price for price, _ in event.bids),
        tuple(size for _, size in event.bids),
        tuple(price for price, _ in event.asks),
        tuple(size for _, size in event.asks),
        event.first_id,
        event.last_id,
        event.checksum,
    )


def _getter(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [column.name for column in TABLES[kind][7:-2]]
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda event: (only(event),)
    return attrgetter(*names)


_GAP: Final = _getter("gap")


def _gap(event: Any) -> tuple[Any, ...]:
    # its cause is for people, and a gap must not be refused for a NUL, which PostgreSQL's text cannot hold
    return tuple(value.replace("\0", "\ufffd") if value is event.cause else value for value in _GAP(event))


_OWN: Final[Mapping[str, Callable[[Any], tuple[Any, ...]]]] = {
    **{kind: _getter(kind) for kind in TABLES if kind not in ("book", "gap")},
    "book": _book,
    "gap": _gap,
}
