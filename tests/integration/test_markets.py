"""`markets` against a real server, and without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import Simulated, run_program


def test_the_list_of_a_server_is_kept_for_the_time_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exchange = Simulated(tmp_path, "--symbols", "BTCUSDT,ETHUSDT", "--rate", "1")
    try:
        command = ("markets", "binance", "--rest-url", exchange.rest_url, "--refresh", "--json")
        first = run_program(*command)
    finally:
        exchange.close()
    assert [each["symbol"] for each in json.loads(first.stdout)["instruments"]] == ["BTCUSDT", "ETHUSDT"]
    second = run_program(*command)
    assert second.returncode == 0
    report = json.loads(second.stdout)
    assert [each["instrument"] for each in report["instruments"]] == ["BTC-USDT", "ETH-USDT"]
    assert "Connect call failed" in report["problem"]
    assert report["age_s"] > 0
