"""The handler whose rows are compared with those of a replay: complete at once, of each market event."""

from __future__ import annotations

import runpy
from pathlib import Path

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE, BookSnapshot, Quote, Trade
from foxtrot_supervisor.chaos.harness.handled_rows import rows_module
from foxtrot_supervisor.chaos.rules.recording_judge import pack_event, unpack_rows
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine


def test_each_market_event_is_a_row_at_once(tmp_path: Path) -> None:
    module, path = tmp_path / "rows.py", tmp_path / "rows"
    module.write_text(rows_module(str(path), timed=True))
    handler = runpy.run_path(str(module))["setup"](EventEngine())
    trade = Trade("SIM", "A", 1, 2, "1", "2", "buy", "7")
    quote = Quote("SIM", "A", 1, 3, "1", "2", "3", "4", "8")
    book: BookSnapshot[str] = BookSnapshot("SIM", "A", 1, 4, [], [], None, None, None)
    events = [(EVENT_MARKET_TRADE, trade), (EVENT_BBO, quote), (EVENT_BOOK, book)]
    for kind, data in events:
        handler.on_event(Event(kind, data))
    assert path.read_bytes() == b"".join(pack_event(data, timed=True) for _, data in events)
    assert [row.receive_ns for row in unpack_rows(path.read_bytes())] == [2, 3, 4]
    handler.close()
