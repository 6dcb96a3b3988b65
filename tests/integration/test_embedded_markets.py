"""Patterns in an application that is its own engine: resolved at its start, kept in place by later supervisors."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib import request

import pytest

from foxtrot_supervisor import ConfigInvalid, Supervisor
from foxtrot_supervisor.gateways.feed import GatewayFeed
from foxtrot_supervisor.gateways.settings import parse
from tests.support.application import config
from tests.support.command_line import Simulated
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90, method="signal")

LIMIT_S = 30.0
SYMBOLS = [f"S{number}USDT" for number in range(4)]


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    simulated = Simulated(tmp_path, "--symbols", ",".join(SYMBOLS), "--rate", "200")
    yield simulated
    simulated.close()


def document(exchange: Simulated, *symbols: str, **supervisor: Any) -> dict[str, Any]:
    connection = {
        "name": "all",
        "exchange": "binance",
        "channels": ["trade"],
        "symbols": list(symbols),
        "shard_symbols": 2,
        "url": exchange.url,
        "rest_url": exchange.rest_url,
    }
    return {**config(start_method="auto", ready_s=30.0, **supervisor), "connections": [connection]}


def symbols(supervisor: Supervisor) -> dict[str, list[str]]:
    workers = supervisor.status()["workers"]
    return {
        each["name"]: sorted({topic["topic"].partition("@")[0].upper() for topic in each["topics"]}) for each in workers
    }


def test_a_pattern_is_spread_refreshed_and_stays_where_it_is(tmp_path: Path, exchange: Simulated) -> None:
    feed = document(exchange, "*-USDT", "!S3*", markets_refresh_s=1.0)
    with Supervisor(feed, run_dir=tmp_path / "run") as supervisor:
        supervisor.wait_ready(LIMIT_S)
        first = {"all-1.a": ["S0USDT", "S2USDT"], "all-2.a": ["S1USDT"]}
        wait_until(lambda: symbols(supervisor) == first, LIMIT_S, "the symbols of the pattern")
        body = json.dumps({"kind": "list", "topic": "NEWUSDT"}).encode()
        with request.urlopen(f"{exchange.rest_url}/sim/fault", body, timeout=10):
            pass
        grown = {"all-1.a": ["S0USDT", "S2USDT"], "all-2.a": ["NEWUSDT", "S1USDT"]}
        wait_until(lambda: symbols(supervisor) == grown, LIMIT_S, "the listing")
        supervisor.unsubscribe("all", ["S0USDT"])
        supervisor.subscribe("all", ["S3USDT"])
        changed = {"all-1.a": ["S2USDT", "S3USDT"], "all-2.a": ["NEWUSDT", "S1USDT"]}
        wait_until(lambda: symbols(supervisor) == changed, LIMIT_S, "the application's changes")

        os.kill(supervisor.status()["supervisor"]["pid"], signal.SIGKILL)
        wait_until(lambda: supervisor.restarts_total == 1 and supervisor.phase == "up", LIMIT_S, "another supervisor")
        supervisor.wait_ready(LIMIT_S)
        wait_until(lambda: symbols(supervisor) == changed, LIMIT_S, "the same symbols on the same shards")
        assert {each["shard_of"] for each in supervisor.status()["workers"]} == {"all"}
    assert not (tmp_path / "run").exists()


def test_what_the_exchange_does_not_list_is_refused_at_start(tmp_path: Path, exchange: Simulated) -> None:
    with pytest.raises(ConfigInvalid, match=r'"S9-USDT" is not listed \(nearest: S'):
        Supervisor(document(exchange, "*-USDT", "S9-USDT"), run_dir=tmp_path / "run").start()
    assert not (tmp_path / "run").exists()


def test_a_gateway_takes_patterns(tmp_path: Path, exchange: Simulated) -> None:
    ticks: set[str] = set()
    texts: list[str] = []
    feed = GatewayFeed(
        "MARKETS", lambda tick: ticks.add(tick.symbol), lambda *_: None, lambda text, _: texts.append(text)
    )
    setting = {"symbols": "*-USDT, !S0*", "channels": "trade", "run_dir": str(tmp_path / "run")}
    feed.connect(parse({**setting, "url": exchange.url, "rest_url": exchange.rest_url}))
    try:
        wait_until(lambda: ticks == set(SYMBOLS[1:]), LIMIT_S, f"ticks of all symbols: {texts}")
        assert feed.subscribe("S0USDT")
        wait_until(lambda: ticks == set(SYMBOLS), LIMIT_S, f"ticks of another symbol: {texts}")
    finally:
        assert feed.close(20.0)
