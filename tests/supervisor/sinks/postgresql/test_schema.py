"""Tables, and what is said of those that do not fit; the SQL itself is tested with a real server."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks.postgresql.schema import (
    TABLES,
    copy_sql,
    create_sql,
    insert_sql,
    is_schema_name,
    schema_problems,
    stage_sql,
)
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS


def found() -> dict[str, dict[str, tuple[str, bool]]]:
    return {
        kind: {column.name: (column.type, not column.required) for column in columns}
        for kind, columns in TABLES.items()
    }


KEYS: dict[str, Any] = {kind: [["time", "key"]] for kind in TABLES}


def test_each_kind_has_a_table_whose_key_begins_with_its_time() -> None:
    assert set(TABLES) == set(KINDS_OF_EVENTS.values())
    statements = create_sql("desk")
    assert len(statements) == 1 + 2 * len(TABLES)
    for kind in TABLES:
        (table,) = [each for each in statements if f'create table if not exists "desk"."{kind}"' in each]
        assert 'primary key ("time", "key")' in table


def test_the_columns_of_a_table_are_the_fields_of_its_event() -> None:
    names = {column.name for column in TABLES["trade"]}
    assert names == {*Trade.__struct_fields__, "time", "key", "connection"} - {"publish_ns"}


def test_statements_name_the_columns() -> None:
    assert stage_sql("funding", "desk").startswith('create temporary table if not exists "foxtrot_funding" on commit')
    assert copy_sql("funding").endswith('"rate", "next_ns", "redelivered", "backfilled") from stdin')
    assert insert_sql("funding", "desk").endswith('on conflict ("time", "key") do nothing')


def test_tables_as_they_are_created_fit() -> None:
    assert schema_problems("desk", found(), KEYS) == []
    wider = found()
    wider["trade"]["note"] = ("text", True)
    assert schema_problems("desk", wider, {**KEYS, "trade": [["trade_id"], ["key", "time"]]}) == []


def test_what_does_not_fit_is_said_with_its_remedy() -> None:
    tables = found()
    del tables["quote"]
    del tables["funding"]["rate"]
    tables["trade"]["price"] = ("double precision", False)
    tables["gap"]["desk"] = ("text", False)
    assert schema_problems("desk", tables, {**KEYS, "status": [["key"]]}) == [
        'table desk.trade: column "price" is double precision, not numeric',
        "table desk.quote is missing: set create = true, or create it",
        'table desk.funding: alter table desk.funding add column "rate" numeric',
        'table desk.status: has no unique key ("time", "key"), rows could be doubled',
        'table desk.gap: column "desk" is not ours and is required',
    ]


@pytest.mark.parametrize("name", ["", "Desk", "1a", 'a"b', "a" * 64, "é", "a b"])
def test_names_of_schemas_need_no_quoting(name: str) -> None:
    assert not is_schema_name(name)
    assert is_schema_name("desk_1")
