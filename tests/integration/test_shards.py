"""A pattern on a real (simulated) exchange: resolved at start, spread over workers, changed while running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib import request

import pytest

from tests.support.command_line import Background, Simulated, run_program
from tests.support.waiting import wait_until

SYMBOLS = ["S0USDT", "S1USDT", "S2USDT", "S3USDT", "币安人生USDT", "S5USDT"]
CONFIG = """
[supervisor]
run_dir = "{run_dir}"
markets_refresh_s = {refresh_s}

[[connections]]
name = "all"
exchange = "binance"
channels = ["trade", "quote"]
symbols = {symbols}
shard_symbols = 2
url = "{url}"
redundancy = {redundancy}
"""


class World:
    """A simulated exchange with six symbols, and the configuration of a supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.exchange = Simulated(folder, "--symbols", ",".join(SYMBOLS), "--rate", "200")
        self.started: Background | None = None
        self.refresh_s = 0.0
        self.redundancy = 1

    def configure(self, *symbols: str) -> None:
        text = CONFIG.format(
            run_dir=self.run_dir,
            url=self.exchange.url,
            symbols=json.dumps(symbols),
            refresh_s=self.refresh_s,
            redundancy=self.redundancy,
        )
        (self.folder / "foxtrot.toml").write_text(text)

    def start(self) -> None:
        self.started = Background(self.folder, "start", "start", "--log-format", "json")
        wait_until(lambda: self.workers() and all(each["events_total"] for each in self.workers()), 90.0, "events")

    def ask(self, *words: str) -> Any:
        return run_program(*words, "--json", cwd=self.folder)

    def market(self, kind: str, symbol: str) -> None:
        """List or delist a symbol at the exchange."""
        body = json.dumps({"kind": kind, "topic": symbol}).encode()
        with request.urlopen(f"{self.exchange.rest_url}/sim/fault", body, timeout=10):
            pass

    def logged(self, event: str) -> list[dict[str, Any]]:
        assert self.started is not None
        lines = (json.loads(line) for line in self.started.err.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

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
    # status shows topics as of the last heartbeat
    grown = wait_until(lambda: [name for name, held in world.symbols().items() if "S5USDT" in held], 10.0, "it")[0]
    assert len(before[grown]) == 1
    full = world.ask("subscribe", "all", "S6USDT")
    assert "no worker has room for 1 more symbols" in full.stdout + full.stderr
    assert world.ask("unsubscribe", "all", "S5USDT").returncode == 0
    wait_until(lambda: world.symbols() == before, 10.0, "its end")

    world.configure("*-USDT")
    assert world.ask("reload").returncode == 0
    wait_until(lambda: "S5USDT" in str(world.symbols()), 20.0, "the symbol of the reload")
    after = world.symbols()
    assert all(set(held) <= set(after[name]) for name, held in before.items())
    assert "S5USDT" in after[grown]
    assert {each["name"]: each["pid"] for each in world.workers()} == pids

    split = Background(world.folder, "split", "split", "all-1")
    wait_until(lambda: world.logged("split"), 20.0, "a split")
    assert world.ask("stop").returncode == 0, "nothing is left behind in the middle of it"
    split.close()


def test_an_unknown_symbol_is_refused_at_start_with_the_nearest(world: World) -> None:
    world.configure("*-USDT", "S9-USDT")
    refused = run_program("start", cwd=world.folder)
    assert refused.returncode == 78
    assert 'connections[0].symbols: "S9-USDT" is not listed (nearest: S' in refused.stderr
    world.configure("*-USDT")
    checked = world.ask("check", "--online")
    assert json.loads(checked.stdout)["connections"] == ["all-1", "all-2", "all-3"]


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("redundancy", [1, 2])
def test_a_listing_is_subscribed_and_a_delisting_ends_within_one_refresh(world: World, redundancy: int) -> None:
    world.refresh_s, world.redundancy = 1.0, redundancy
    world.configure("*-USDT", "!S0*")
    world.start()
    before = world.symbols()
    pids = {each["name"]: each["pid"] for each in world.workers()}
    events = Background(world.folder, "events", "events", "--type", "eFeedStatus.")

    world.market("list", "NEWUSDT")
    wait_until(lambda: "NEWUSDT" in str(world.symbols()), 20.0, "the listing")
    world.market("delist", "S1USDT")
    wait_until(lambda: "S1USDT" not in str(world.symbols()), 20.0, "the delisting")
    after = world.symbols()
    events.close()

    touched = {name for name, held in before.items() if "S1USDT" in held or after.get(name) != held}
    assert all(after[name] == held for name, held in before.items() if name not in touched)
    assert {name: pid for name, pid in pids.items() if name in after} == {
        each["name"]: each["pid"] for each in world.workers() if each["name"] in pids
    }
    assert {topic["state"] for each in world.workers() for topic in each["topics"]} == {"flowing"}
    ended = [json.loads(line) for line in events.out.read_text().splitlines() if '"delisted"' in line]
    # of twins once: the side that ends it last announces it
    assert sorted(each["topic"] for each in ended) == ["s1usdt@bookTicker", "s1usdt@trade"]
    market = json.loads(world.ask("status").stdout)["markets"]["all"]
    assert (market["symbols"], market["listed"], market["delisted"]) == (5, ["NEWUSDT"], ["S1USDT"])
    assert (market["listed_total"], market["delisted_total"], market["error"]) == (1, 1, "")
    assert [line["symbols"] for line in world.logged("listed")] == ["NEWUSDT"]
    assert [line["symbols"] for line in world.logged("delisted")] == ["S1USDT"]
    assert not [line for line in world.logged("topic") if line.get("state") in ("stale", "silent")]
