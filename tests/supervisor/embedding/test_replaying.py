"""Replays of a program: `Supervisor.replay` with the handlers and settings of its configuration."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.recorded_steps import RecordingCounts, UnreadableRecording
from foxtrot_supervisor import Event, EventEngine, HandlerProblem, MainEngine, Supervisor
from foxtrot_supervisor.embedding.replaying import time_ns
from tests.support.recorded import SECOND, START, recorded_trades


@pytest.mark.parametrize(
    "at",
    [
        START,
        str(START),
        "2023-11-14T22:13:20",
        "2023-11-14 23:13:20+01:00",
        datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC),
        datetime.datetime(2023, 11, 14, 22, 13, 20),
    ],
)
def test_times(at: Any) -> None:
    assert time_ns(at) == START


def test_a_text_that_is_no_time() -> None:
    with pytest.raises(ValueError, match="'tomorrow' is neither"):
        time_ns("tomorrow")


def test_the_program_of_a_live_run_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "replayed_strategy.py").write_text(
        "closed = []\n"
        "class Strategy:\n"
        "    def __init__(self, engine):\n"
        "        engine.register('eBar.', self.on_bar)\n"
        "        self.bars = []\n"
        "    def on_bar(self, event):\n"
        "        self.bars.append(event.data)\n"
        "    def close(self):\n"
        "        closed.append(len(self.bars))\n"
    )
    config = {
        "engine": {
            "handlers": ["replayed_strategy:Strategy"],
            "numbers": "decimal",
            "bars_from_trades": ["1m"],
        },
        "connections": [{"name": "spot", "exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT"]}],
    }
    supervisor = Supervisor(config, run_dir=tmp_path / "run")
    prices = []
    supervisor.event_engine.register("eMarketTrade.BTCUSDT.BINANCE", lambda event: prices.append(event.data.price))
    path = recorded_trades(tmp_path / "a.jsonl", [START + number * SECOND for number in range(200)])
    seen: list[RecordingCounts] = []
    report = supervisor.replay(
        [path], begin="2023-11-14T22:13:30", end=START + 180 * SECOND, on_progress=lambda counts, _: seen.append(counts)
    )
    assert (report.end, report.events_total) == ("period", 171)
    assert prices[0] == Decimal("111.5")
    import replayed_strategy  # type: ignore[import-not-found]

    assert len(replayed_strategy.closed) == 1
    assert replayed_strategy.closed[0] > 100
    assert not (tmp_path / "run").exists(), "nothing is started"


def test_what_cannot_be_replayed(tmp_path: Path) -> None:
    supervisor = Supervisor(event_engine=EventEngine())
    with pytest.raises(UnreadableRecording):
        supervisor.replay([tmp_path / "absent.jsonl"])
    path = recorded_trades(tmp_path / "a.jsonl", [START])
    with pytest.raises(ValueError, match="mars"):
        supervisor.replay([path], exchange="mars")
    unusable = Supervisor({"engine": {"handlers": ["absent_module:setup"]}, "connections": [
        {"name": "spot", "exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT"]}
    ]})  # fmt: skip
    with pytest.raises(HandlerProblem, match="absent_module"):
        unusable.replay([path])


class Engine:
    """An engine in the style of vn.py's applications: it registers handlers and puts events of its own."""

    engine_name = "counting"

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        self._event_engine = event_engine
        self.seen: list[str] = []
        event_engine.register("eTick.", self.on_tick)
        event_engine.register("eTimer", self.on_timer)
        event_engine.register("eSignal.", self.on_signal)

    def on_tick(self, event: Event) -> None:
        self.seen.append(f"{event.data.last_price:g}")
        self._event_engine.put(Event("eSignal.", f"{event.data.last_price:g}!"))

    def on_timer(self, event: Event) -> None:
        self.seen.append("timer")

    def on_signal(self, event: Event) -> None:
        self.seen.append(event.data)


def test_an_application_of_vn_pys_style_is_replayed_alike_each_time(tmp_path: Path) -> None:
    path = recorded_trades(tmp_path / "a.jsonl", [START + number * SECOND // 2 for number in range(6)])
    runs = []
    for _ in range(2):
        event_engine = EventEngine(interval=1)
        event_engine.own_timer = False
        with MainEngine(event_engine) as main_engine:
            engine = main_engine.add_engine(Engine)
            Supervisor(event_engine=event_engine).replay([path])
            runs.append(engine.seen)
    assert runs[0] == runs[1]
    assert runs[0][:14] == [
        "101.5", "101.5!", "102.5", "102.5!", "timer", "103.5", "103.5!", "104.5", "104.5!", "timer",
        "105.5", "105.5!", "106.5", "106.5!",
    ]  # fmt: skip
