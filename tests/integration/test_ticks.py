"""Ticks and bars of a whole run: from the simulated exchange to a handler, also after the death of a worker."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run
from tests.support.waiting import wait_until

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"
backoff_first_s = 1.0
[engine]
handlers = ["mine:setup"]
bars_from_trades = ["1s"]
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "quote", "book"]
symbols = ["BTCUSDT", "ETHUSDT"]
"""

HANDLER = """
import json

class Strategy:
    def __init__(self, engine):
        self.file = open("ticks.jsonl", "w", buffering=1)
        self.latest = None
        engine.register("eMarketTrade.BTCUSDT.SIM", self.on_trade)
        engine.register("eTick.BTCUSDT.SIM", self.on_tick)
        engine.register("eBar.BTCUSDT.SIM", self.on_bar)

    def on_trade(self, event):
        self.latest = event.data

    def on_tick(self, event):
        tick = event.data
        trade = self.latest
        self.write(
            kind="tick", type=event.type, symbol=tick.vt_symbol, last=tick.last_price, volume=tick.volume,
            trade=trade and trade.price,
            bids=[getattr(tick, f"bid_price_{level}") for level in range(1, 6)],
            asks=[getattr(tick, f"ask_price_{level}") for level in range(1, 6)],
            lag_s=(tick.localtime - tick.datetime).total_seconds(),
        )

    def on_bar(self, event):
        bar = event.data
        self.write(kind="bar", start_ns=bar.start_ns, closed=bar.closed, volume=bar.volume, high=bar.high, low=bar.low)

    def write(self, **fields):
        self.file.write(json.dumps(fields) + "\\n")

    def close(self):
        self.file.close()

def setup(engine):
    return Strategy(engine)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "mine.py").write_text(HANDLER)
    run = Run(tmp_path, CONFIG)
    yield run
    run.close()


def written(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = (run.folder / "ticks.jsonl").read_text().splitlines() if (run.folder / "ticks.jsonl").exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return [line for line in found if line["kind"] == kind]


def test_ticks_show_the_market_and_nothing_while_the_worker_is_dead(run: Run) -> None:
    workers = run.running()["workers"]

    def full() -> list[dict[str, Any]]:
        return [tick for tick in written(run, "tick") if all(tick["bids"]) and all(tick["asks"]) and tick["last"]]

    wait_until(lambda: len(full()) > 50, 20, "ticks with five levels")
    for tick in full():
        assert (tick["type"], tick["symbol"]) == ("eTick.BTCUSDT.SIM", "BTCUSDT.SIM")
        assert tick["bids"] == sorted(set(tick["bids"]), reverse=True)
        assert tick["asks"] == sorted(set(tick["asks"]))
        assert tick["bids"][0] < tick["asks"][0]
        assert tick["last"] in (tick["trade"], None), "right behind its trade"
        assert abs(tick["lag_s"]) < 60
    volumes = [tick["volume"] for tick in full()]
    assert volumes == sorted(volumes)

    def bars() -> list[dict[str, Any]]:
        return [bar for bar in written(run, "bar") if bar["closed"]]

    wait_until(lambda: len(bars()) >= 2, 20, "bars of trades")
    starts = [bar["start_ns"] for bar in bars()]
    assert starts == sorted(set(starts))
    assert all(bar["low"] <= bar["high"] and bar["volume"] > 0 for bar in bars())

    before = len(written(run, "tick"))
    os.kill(workers[0]["pid"], signal.SIGKILL)

    def since() -> list[dict[str, Any]]:
        return written(run, "tick")[before:]

    def emptied() -> int | None:
        return next((index for index, tick in enumerate(since()) if not any(tick["bids"] + tick["asks"])), None)

    wait_until(lambda: emptied() is not None, 10, "a tick that shows no levels")
    wait_until(lambda: any(all(tick["bids"]) for tick in since()[emptied() :]), 20, "levels of the next worker")
    engine = run.status()
    assert engine is not None
    assert engine["engine"]["ticks_total"] > 50
    assert engine["engine"]["handler_errors_total"] == 0
    assert run.stop() == 0
