"""SQL of views. What DuckDB makes of it is in test_query."""

from __future__ import annotations

from foxtrot_supervisor.tables.columns import TABLES
from foxtrot_supervisor.tables.views import EVENTS_VIEW, all_views, glob_escaped, quoted, view_columns


def test_texts_are_literals_whatever_they_contain() -> None:
    assert quoted("it's") == "'it''s'"
    assert glob_escaped("/a[1]/*?.parquet") == "/a[[]1]/[*][?].parquet"


def test_a_number_is_for_calculations_and_its_text_is_exact() -> None:
    names = [column.name for column in view_columns(TABLES["trade"], exact=False)]
    assert names[:7] == ["receive_time", "exchange_time", "connection", "exchange", "symbol", "price", "size"]
    assert {"price_text", "size_text"} <= set(names)
    assert "price_decimals" not in names
    assert "bucket" not in names


def test_exact_views_have_the_columns_of_the_files() -> None:
    types = {column.name: column.type for column in view_columns(TABLES["trade"], exact=True)}
    assert types["price"] == "DECIMAL(38,18)"
    assert types["price_decimals"] == "TINYINT"
    assert types["price_text"] == "VARCHAR"


def test_there_is_a_view_for_each_kind_and_one_for_all() -> None:
    statements = all_views({"trade": ["/rec/it's[1].parquet"]}, exact=False)
    for table in TABLES.values():
        assert sum(statement.startswith(f'CREATE VIEW "{table.view}" AS') for statement in statements) == 1
    assert statements[-1].startswith(f'CREATE VIEW "{EVENTS_VIEW}"')
    assert "'/rec/it''s[[]1].parquet'" in statements[0]
