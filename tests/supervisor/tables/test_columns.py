"""The tables are those of the events that a sink gets."""

from __future__ import annotations

import msgspec

from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS
from foxtrot_supervisor.tables.columns import TABLE_OF_EVENT, TABLES


def test_each_event_that_a_sink_gets_has_its_table() -> None:
    assert {event: table.kind for event, table in TABLE_OF_EVENT.items()} == KINDS_OF_EVENTS


def test_each_field_of_an_event_is_a_column() -> None:
    for event, table in TABLE_OF_EVENT.items():
        fields = {field.name for field in msgspec.structs.fields(event)}
        assert {column.field for column in table.columns} - {""} == fields - {"exchange"}


def test_names_are_unique() -> None:
    assert len({table.view for table in TABLES.values()}) == len(TABLES)
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
