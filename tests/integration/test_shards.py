"""A pattern on a real (simulated) exchange: resolved at start, spread over workers, changed while running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Background, Simulated, run_program
from tests.support.waiting import wait_until

SYMBOLS = [f"S{number}USDT" for number in range(6)]
CONFIG = """
[supervisor]
run_dir = "{run_dir}"

[[connections]]
name = "all"
exchange = "binance"
channels = ["trade", "quote"]
symbols = {symbols}
shard_symbols = 2
url = "{url}"
"""


class World:
    """A simulated exchange with six symbols, and the configuration of a supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.exchange = Simulated(folder, "--symbols", ",".join(SYMBOLS), "--rate", "200")
        self.started: Background | None = None

    def configure(self, *symbols: str) -> None:
        text = CONFIG.format(run_dir=self.run_dir, url=self.exchange.url, symbols=json.dumps(symbols))
        (self.folder / "foxtrot.toml").write_text(text)

    def start(self) -> None:
        self.started = Background(self.folder, "start", "start", "--log-format", "json")
        wait_until(lambda: self.workers() and all(each["events_total"] for each in self.workers()), 30.0, "events")

    def ask(self, *words: str) -> Any:
        return run_program(*words, "--json", cwd=self.folder)

    def workers(self) -> list[dict[str, Any]]:
        done = self.ask("status")
        return json.loads(done.stdout)["workers"] if done.returncode == 0 else []

    def symbols(self) -> dict[str, list[str]]:
        """Subscribed symbols by worker."""
        return {
            each["name"]: sorted({topic["topic"].partition("@")[0].upper() for topic in each["topics"]})
            for each in self.workers()
        }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    world = World(tmp_path)
    yield world
    if world.started is not None:
        world.started.close()
    world.exchange.close()


def test_a_pattern_is_spread_and_no_symbol_moves(world: World) -> None:
    world.configure("*-USDT", "!S5*")
    world.start()
    before = world.symbols()
    assert sorted(before) == ["all-1.a", "all-2.a", "all-3.a"]
    assert sorted(symbol for held in before.values() for symbol in held) == SYMBOLS[:5]
    assert {each["shard_of"] for each in world.workers()} == {"all"}
    pids = {each["name"]: each["pid"] for each in world.workers()}

    assert world.ask("subscribe", "all", "s5usdt").returncode == 0
    (grown,) = [name for name, held in world.symbols().items() if "S5USDT" in held]
    assert len(before[grown]) == 1
    full = world.ask("subscribe", "all", "S6USDT")
    assert "no worker has room for 1 more symbols" in full.stdout + full.stderr
    assert world.ask("unsubscribe", "all", "S5USDT").returncode == 0
    assert world.symbols() == before

    world.configure("*-USDT")
    assert world.ask("reload").returncode == 0
    wait_until(lambda: "S5USDT" in str(world.symbols()), 20.0, "the symbol of the reload")
    after = world.symbols()
    assert all(set(held) <= set(after[name]) for name, held in before.items())
    assert "S5USDT" in after[grown]
    kept = {each["name"]: each["pid"] for each in world.workers()}
    assert [name for name in pids if kept[name] != pids[name]] in ([], [grown])


def test_an_unknown_symbol_is_refused_at_start_with_the_nearest(world: World) -> None:
    world.configure("*-USDT", "S9-USDT")
    refused = run_program("start", cwd=world.folder)
    assert refused.returncode == 78
    assert 'connections[0].symbols: "S9-USDT" is not listed (nearest: S' in refused.stderr
    world.configure("*-USDT")
    checked = world.ask("check", "--online")
    assert json.loads(checked.stdout)["connections"] == ["all-1", "all-2", "all-3"]
