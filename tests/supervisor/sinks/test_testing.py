"""The conformance suite passes a sink that keeps the contract, and notices each broken promise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import Struct

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks.sink import SinkContext, SinkRefuses, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.testing import SinkChecks, all_events, rows_of, trades


class _Store:
    def __init__(self) -> None:
        self.keys: list[str] = []
        self.away = False


class _Memory:
    """Keeps the contract; `fault` names what a broken one does."""

    settings: ClassVar[type[Struct]] = Struct

    def __init__(self, store: _Store, fault: str = "") -> None:
        self.store = store
        self.fault = fault
        self.durable = 0
        self.is_open = False

    @staticmethod
    def problems(settings: Any) -> list[tuple[str, str]]:
        return []

    async def open(self) -> None:
        if self.store.away and self.fault != "opens":
            raise SinkUnavailable("" if self.fault == "no reason" else "away")
        self.is_open = True

    async def write(self, rows: Sequence[SinkRow]) -> int:
        assert self.is_open
        if self.store.away:
            if self.fault == "swallows":
                return rows[-1].number
            raise SinkUnavailable("away")
        refused = [(row, "no") for row in rows if isinstance(row.event, Trade) and row.event.price == "refused"]
        if refused and self.fault != "takes all":
            raise SinkRefuses([(rows[0], "no")] if self.fault == "wrong row" else refused)
        for row in rows:
            if self.fault == "skips gaps" and row.kind == "gap":
                continue
            if row.key not in self.store.keys or self.fault == "doubles":
                self.store.keys.append(row.key)
        self.durable = rows[-1].number + (5 if self.fault == "foresees" else 0)
        return 0 if self.fault == "never durable" else self.durable

    async def flush(self) -> int:
        return 0 if self.fault in ("never durable", "silent") else self.durable

    async def close(self) -> None:
        assert self.is_open or self.fault != "closes once"
        self.is_open = False

    def counts(self) -> dict[str, int]:
        return {"Rows!": 1} if self.fault == "counts" else {"rows": 1}


def checks_of(fault: str) -> SinkChecks:
    store = _Store()

    class Checks(SinkChecks):
        def make(self, context: SinkContext) -> Any:
            return _Memory(store, fault)

        async def stored_keys(self) -> list[str]:
            return list(store.keys)

        async def make_unavailable(self) -> None:
            store.away = True

        async def make_available(self) -> None:
            store.away = False

        def refused_event(self) -> Any:
            return msgspec.structs.replace(trades(1, 99)[0], price="refused")

    return Checks()


async def run_all(fault: str, folder: Path, only: str = "") -> list[str]:
    """Run each check of the suite; return the names of those that fail."""
    failed = []
    for name in dir(SinkChecks):
        if not name.startswith("test_"):
            continue
        checks = checks_of(fault)
        context = SinkContext("tape", str(folder), str(folder), checks, "spool")  # type: ignore[arg-type]
        try:
            if name == "test_settings_are_declared":
                checks.test_settings_are_declared()
            else:
                await getattr(checks, name)(context)
        except (AssertionError, pytest.fail.Exception):
            failed.append(name.removeprefix("test_"))
    return failed


async def test_a_sink_that_keeps_the_contract_passes(tmp_path: Path) -> None:
    assert await run_all("", tmp_path) == []
    assert await run_all("silent", tmp_path) == []  # flush may say nothing where write has said it


@pytest.mark.parametrize(
    ("fault", "noticed_by"),
    [
        ("doubles", "rows_written_again_change_nothing"),
        ("doubles", "rows_written_again_by_a_new_process_change_nothing"),
        ("skips gaps", "every_kind_of_event_is_stored_once"),
        ("foresees", "numbers_of_durable_rows_only_rise_and_reach_the_last_row"),
        ("never durable", "every_kind_of_event_is_stored_once"),
        ("swallows", "while_the_store_is_away_it_says_so_and_nothing_is_lost"),
        ("opens", "open_says_that_the_store_is_away"),
        ("no reason", "open_says_that_the_store_is_away"),
        ("takes all", "refused_rows_are_named_and_all_others_are_stored"),
        ("wrong row", "refused_rows_are_named_and_all_others_are_stored"),
        ("closes once", "flush_and_close_may_come_at_any_time"),
        ("counts", "counts_are_whole_numbers_with_plain_names"),
    ],
)
async def test_each_broken_promise_is_noticed(tmp_path: Path, fault: str, noticed_by: str) -> None:
    assert noticed_by in await run_all(fault, tmp_path)


def test_events_of_the_suite_have_keys_of_their_own() -> None:
    rows = rows_of(all_events())
    assert len({row.key for row in rows}) == len(rows)
    assert {row.kind for row in rows} == {
        "trade",
        "quote",
        "book",
        "ticker",
        "candle",
        "funding",
        "mark_price",
        "open_interest",
        "liquidation",
        "status",
        "gap",
    }
