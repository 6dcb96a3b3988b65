"""Events on stdout."""

from __future__ import annotations

import click
import pytest

from foxtrot_supervisor.cli.line_output import line_writer
from foxtrot_supervisor.tables.csv_lines import DEPTH_MAX

LINE = {"kind": "mark_price", "exchange": "SIM", "symbol": "é", "instrument": "é", "ts": None, "price": "1"}


def test_json_lines(capfd: pytest.CaptureFixture[str]) -> None:
    line_writer("json", ())([LINE])
    assert capfd.readouterr().out == (
        '{"kind":"mark_price","exchange":"SIM","symbol":"é","instrument":"é","ts":null,"price":"1"}\n'
    )


def test_the_header_of_csv_is_written_without_events_too(capfd: pytest.CaptureFixture[str]) -> None:
    write = line_writer("csv", ["mark_price"])
    assert capfd.readouterr().out == "kind,exchange,symbol,instrument,ts,price\n"
    write([LINE])
    assert capfd.readouterr().out == "mark_price,SIM,é,é,,1\n"


def test_csv_has_no_columns_for_any_depth() -> None:
    line_writer("json", (), depth=DEPTH_MAX + 1)
    with pytest.raises(click.UsageError, match="100 levels at most, not 101"):
        line_writer("csv", (), depth=DEPTH_MAX + 1)
