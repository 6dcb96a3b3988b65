"""Events as named fields."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.events import BookDelta, Quote
from foxtrot_supervisor.sinks.stores.fields import fields_of, flat_fields, json_of
from tests.support.sink_rows import every_kind, rows_of


def test_a_row_has_its_kind_its_key_and_the_fields_of_its_event() -> None:
    (row,) = rows_of([Quote("SIM", "X", 1, 2, "1.10", None, "1E-8", "2", "77")])
    assert fields_of(row) == {
        "kind": "quote",
        "key": row.key,
        "connection": "one",
        "exchange": "SIM",
        "symbol": "X",
        "exchange_ns": 1,
        "receive_ns": 2,
        "bid": "1.10",
        "bid_size": None,
        "ask": "1E-8",
        "ask_size": "2",
        "update_id": "77",
        "publish_ns": 0,
        "redelivered": False,
        "backfilled": False,
    }


def test_json_and_flat_fields_say_the_same() -> None:
    for row in every_kind():
        decoded = msgspec.json.decode(json_of(row))
        flat = flat_fields(row)
        assert flat[::2] == list(decoded)
        for name, text in zip(flat[::2], flat[1::2], strict=True):
            value = decoded[name]
            if value is None:
                assert text == ""
            elif isinstance(value, bool):
                assert text == str(int(value))
            elif isinstance(value, list):
                assert msgspec.json.decode(text) == value
            else:
                assert text == str(value)


def test_a_book_says_its_type() -> None:
    types = {msgspec.json.decode(json_of(row))["type"] for row in every_kind() if row.kind == "book"}
    assert types == {"snapshot", "delta"}
    (row,) = rows_of([BookDelta("SIM", "X", 1, 2, [("1", "2.0")], [], None, None, None)])
    flat = flat_fields(row)
    assert flat[flat.index("bids") + 1] == '[["1","2.0"]]'
