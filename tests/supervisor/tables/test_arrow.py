"""Events as Arrow columns: the same numbers as the pure rules give, and every field comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyarrow", reason="needs pyarrow")

import pyarrow as pa

from foxtrot_protocol.events import BookSnapshot, Quote
from foxtrot_supervisor.tables.arrow import arrow_batch, arrow_schema
from foxtrot_supervisor.tables.columns import TABLE_OF_EVENT, TABLES
from foxtrot_supervisor.tables.numbers import join_number, split_number
from tests.support.recorded_rows import EVENTS, T, row


def restored(record: dict[str, Any], name: str) -> str | None:
    return join_number(record[name], record[f"{name}_decimals"], record[f"{name}_text"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_field_comes_back(event: Any) -> None:
    table = TABLE_OF_EVENT[type(event)]
    batch = arrow_batch(table, [row(7, event)])
    batch.validate(full=True)
    record = {name: batch.column(name)[0] for name in batch.schema.names}
    plain = {name: value.as_py() for name, value in record.items() if not pa.types.is_timestamp(value.type)}
    assert (plain["row"], plain["key"], plain["connection"]) == (7, "k7", "sim")
    fields = {column.field for column in table.columns} - {""}
    assert fields == set(event.__struct_fields__) - {"exchange"}  # the exchange is in the path
    for column in table.columns:
        if column.type == "number":
            assert restored(plain, column.name) == getattr(event, column.field)
        elif column.type == "levels":
            levels = [(restored(level, "price"), restored(level, "size")) for level in plain[column.name]]
            assert levels == getattr(event, column.field)
        elif column.type == "time":
            assert (record[column.name].value or 0) == getattr(event, column.field)
        elif column.field:
            assert plain[column.name] == getattr(event, column.field)
    if table.kind == "book":
        assert plain["type"] == ("snapshot" if type(event) is BookSnapshot else "delta")


def test_every_event_class_is_among_the_samples() -> None:
    assert {type(event) for event in EVENTS} == set(TABLE_OF_EVENT)


def test_every_table_has_a_schema_and_takes_no_rows() -> None:
    for table in TABLES.values():
        assert arrow_batch(table, []).schema == arrow_schema(table)


number_texts = st.one_of(
    st.none(),
    st.decimals(allow_nan=True).map(str),
    st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{0,20})?", fullmatch=True),
    st.sampled_from(["-0", "-0.0", "1\n", "", "1e5", "+1", "0.0"]),
)


@given(st.lists(number_texts, max_size=20))
def test_arrow_splits_numbers_as_the_rules_do(texts: list[str | None]) -> None:
    quotes = [Quote("SIM", "X", T, T, text, None, None, None, "") for text in texts]
    batch = arrow_batch(TABLES["quote"], [row(0, quote) for quote in quotes])
    found = list(zip(*(batch.column(f"bid{suffix}").to_pylist() for suffix in ("", "_decimals", "_text")), strict=True))
    assert found == [tuple(split_number(text)) for text in texts]
