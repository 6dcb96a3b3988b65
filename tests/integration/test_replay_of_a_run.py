"""Handlers on a replay get what they had live: a recorded run of real processes, then its recording."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

pytest.importorskip("zstandard")

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[engine]
handlers = ["noting_handlers:setup"]
bars_from_trades = ["1s"]
[recorder]
directory = "recorded"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "quote", "book"]
symbols = ["BTCUSDT", "ETHUSDT"]
record = "raw"
"""

HANDLERS = """
import json, os
from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_GAP, EVENT_MARKET_TRADE, EVENT_TICK

def setup(engine):
    return Notes(engine)

class Notes:
    def __init__(self, engine):
        self.file = open(os.environ["NOTES"], "a")
        for kind in (EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK, EVENT_GAP, EVENT_TICK):
            engine.register(kind, self.note)

    def note(self, event):
        fields = {name: str(getattr(event.data, name)) for name in event.data.__struct_fields__ if name != "publish_ns"}
        self.file.write(json.dumps([event.type, fields]) + "\\n")

    def close(self):
        self.file.close()
"""


def notes(path: Path) -> list[list[Any]]:
    """Return the calls, except the last tick of each instrument: it has the time when the worker's end was seen."""
    calls = [json.loads(line) for line in path.read_text().splitlines()]
    return [call for call in calls if "bid_price_1" not in call[1] or float(call[1]["ask_price_1"])]


def test_the_calls_of_a_replay_are_those_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noting_handlers.py").write_text(HANDLERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTES", str(tmp_path / "live"))
    with contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        wait_until(lambda: run.running()["workers"][0]["events_total"] > 300, 60, "events")
        assert run.stop() == 0
    live = notes(tmp_path / "live")
    assert {kind for kind, _ in live} >= {"eMarketTrade.", "eBbo.", "eBook.", "eTick."}
    replayed = []
    for name in ("first", "second"):
        monkeypatch.setenv("NOTES", str(tmp_path / name))
        done = run_program("replay", "-c", tmp_path / "foxtrot.toml", tmp_path / "recorded", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["end"], report["rejected_total"]) == ("complete", 0)
        replayed.append(notes(tmp_path / name))
    assert replayed[0] == replayed[1]
    assert replayed[0] == live
