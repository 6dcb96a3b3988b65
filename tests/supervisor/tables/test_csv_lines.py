"""Lines as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from foxtrot_protocol.event_lines import BookView, event_line, live_line
from foxtrot_protocol.events import BookDelta, Gap, Trade
from foxtrot_supervisor.tables.csv_lines import EVENT_COLUMNS, LIVE_COLUMNS, CsvLines
from tests.support.recorded_rows import EVENTS, T


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("live", [True, False])
def test_each_key_of_a_line_is_a_column(event: Any, live: bool) -> None:
    line = (live_line if live else event_line)(event, "BTC-USDT")
    for kinds in ([], [line["kind"]]):
        made = CsvLines(kinds, live=live, first=["frame"])
        assert set(line) <= set(made.columns)
        (row,) = read(made.text([{"frame": 7, **line}]))
        assert row["frame"] == "7"
        for column, text in row.items():
            value = line.get(column, 7 if column == "frame" else None)
            if isinstance(value, list):
                assert json.loads(text) == value
            else:
                assert text == ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))


def test_columns_are_those_of_the_chosen_kinds() -> None:
    assert CsvLines(["gap", "trade"]).columns == (
        "kind",
        "exchange",
        "symbol",
        "instrument",
        "ts",
        *EVENT_COLUMNS["trade"],
        *EVENT_COLUMNS["gap"],
    )
    assert set(LIVE_COLUMNS) <= set(CsvLines([], live=True).columns)
    assert len(set(CsvLines([]).columns)) == len(CsvLines([]).columns)


def test_the_header_comes_once() -> None:
    made = CsvLines(["trade"])
    line = event_line(Trade("SIM", "X", T, T, "1", "1", "buy", "1"), "X")
    assert made.text([line]).count("kind") == 1
    assert made.text([line, line]).count("\n") == 2
    assert made.text([]) == ""


def test_levels_get_columns_of_their_own() -> None:
    view = BookView(2)
    snapshot = EVENTS[2]
    lines = [
        event_line(snapshot, "X", view),
        event_line(BookDelta("NEW", "Y", T, T, [], [], None, None, None), "Y", view),
    ]
    made = CsvLines(["book"], depth=2)
    assert made.columns[-8:] == ("bid1", "bid1_size", "ask1", "ask1_size", "bid2", "bid2_size", "ask2", "ask2_size")
    first, unknown = read(made.text(lines))
    assert (first["bid1"], first["bid1_size"], first["bid2"], first["ask1"]) == ("2", "1.5", "1", "")
    assert unknown["bid1"] == ""
    assert "bid1" not in CsvLines(["trade"], depth=2).columns


def test_text_of_any_kind_is_one_cell() -> None:
    gap = Gap("", "", 0, T, "", None, None, 0, 0, 'a,"b"\nc')
    (row,) = read(CsvLines(["gap"]).text([event_line(gap, "")]))
    assert row["cause"] == 'a,"b"\nc'
