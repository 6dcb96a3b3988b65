"""`subscribe --save`: the run and its file change together, or neither."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run, Simulated, run_program

FILE = """\
# mine
[supervisor]
run_dir = "RUN_DIR"  # here

[[connections]]
name = "sim"   # simulated
exchange = "sim"
url = "URL"
rest_url = "REST"
channels = ["trade"]
symbols = [
    "BTCUSDT",  # the first
]
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    exchange = Simulated(tmp_path, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT")
    begun = Run(tmp_path, FILE.replace("URL", exchange.url).replace("REST", exchange.rest_url))
    try:
        begun.running()
        yield begun
    finally:
        begun.close()
        exchange.close()


def ask(run: Run, *words: str) -> tuple[int, str]:
    done = run_program(*words, "--run-dir", run.run_dir)
    return done.returncode, done.stdout + done.stderr


def symbols(run: Run) -> Any:
    return tomllib.loads(run.config.read_text())["connections"][0]["symbols"]


def worker(run: Run) -> dict[str, Any]:
    status = json.loads(run_program("status", "--json", "--run-dir", run.run_dir).stdout)
    return dict(status["workers"][0])


def test_a_change_is_saved_and_told_apart_until_then(run: Run) -> None:
    run.config.chmod(0o640)
    before = run.config.read_text()
    code, said = ask(run, "subscribe", "sim", "SOLUSDT")
    assert (code, run.config.read_text()) == (0, before), said
    assert worker(run)["subscribed_at_run_time"] == ["SOLUSDT"]

    code, said = ask(run, "subscribe", "sim", "ETHUSDT", "--save")
    assert code == 0, said
    assert str(run.config) in said
    assert run.config.read_text() == before.replace("  # the first\n", '  # the first\n    "ETHUSDT",\n')
    assert stat.S_IMODE(run.config.stat().st_mode) == 0o640

    code, said = ask(run, "reload")
    assert code == 0, said
    assert worker(run)["subscribed_at_run_time"] == ["SOLUSDT"], "it survives the reload"

    code, said = ask(run, "unsubscribe", "sim", "XRPUSDT", "--save")
    assert code == 1
    assert "not changed: --save was given, and" in said
    assert "has no symbol 'XRPUSDT' there" in said
    code, said = ask(run, "unsubscribe", "nothing", "BTCUSDT", "--save")
    assert (code, symbols(run)) == (1, ["BTCUSDT", "ETHUSDT"])
    assert "no worker or connection called 'nothing'" in said
    run.config.write_text("broken [")
    code, said = ask(run, "subscribe", "sim", "XRPUSDT", "--save")
    assert (code, run.config.read_text()) == (1, "broken [")
    assert "XRPUSDT" not in worker(run)["subscribed_at_run_time"], "nothing was begun"
