"""An event as a dictionary of named fields, as stores hold it. Pure.

The names are those of the event classes (``docs/events.md``), with ``kind``, ``key`` and ``connection`` before them.
Prices and sizes are the exchange's own decimal text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_protocol.events import BookSnapshot
from foxtrot_supervisor.sinks.sink import SinkRow

__all__ = ["fields_of", "flat_fields", "json_of"]


def fields_of(row: SinkRow) -> dict[str, Any]:
    """Return the fields of a row; a book's ``type`` is "snapshot" or "delta"."""
    fields: dict[str, Any] = {"kind": row.kind, "key": row.key, "connection": row.connection}
    if row.kind == "book":
        fields["type"] = "snapshot" if type(row.event) is BookSnapshot else "delta"
    fields.update(msgspec.structs.asdict(row.event))
    return fields


def json_of(row: SinkRow) -> bytes:
    """Return the fields of a row as one JSON object."""
    return msgspec.json.encode(fields_of(row))


def flat_fields(row: SinkRow) -> list[str]:
    """Return names and values in turn, all text: numbers in decimal, "1" or "0" for true or false, "" for null.

    Levels of books are JSON: ``[["100.1","2"],…]``. Events of one kind have the same names in the same order.
    """
    flat: list[str] = []
    for name, value in fields_of(row).items():
        flat.append(name)
        flat.append(value if type(value) is str else _text(value))
    return flat


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return msgspec.json.encode(value).decode()
    return str(value)
