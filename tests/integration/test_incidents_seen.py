"""Kills among twenty connections: each is on the screen of `top` and on the page of the web view in time."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.integration.test_full_screen import SEEN_S, Tmux, pid_of
from tests.integration.test_web_view import Web
from tests.support.browser import CHROMIUM, Browser
from tests.support.command_line import PROGRAM, Run
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.variant,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

CONNECTIONS = 20
KILLS = 20
SEED = 20
CONNECTION = """
[[connections]]
name = "market-{number}"
exchange = "sim"
channels = ["trade", "quote"]
symbols = ["BTCUSDT"]
"""
DEATHS = "[...document.querySelectorAll('#incident-list [data-tone=bad]')].length"


def test_every_kill_among_twenty_connections_is_seen_in_time(tmp_path: Path) -> None:
    pytest.importorskip("textual")
    configuration = '[supervisor]\nrun_dir = "RUN_DIR"\n' + "".join(
        CONNECTION.format(number=number) for number in range(CONNECTIONS)
    )
    late: list[str] = []
    slowest_s = {"top": 0.0, "page": 0.0}
    with (
        contextlib.closing(Run(tmp_path, configuration)) as run,
        contextlib.closing(Tmux(tmp_path)) as tmux,
    ):
        run.running()
        tmux.type(f"{PROGRAM} top --run-dir {run.run_dir}", "Enter")
        tmux.wait(f"{CONNECTIONS}/{CONNECTIONS} workers serve")
        with (
            contextlib.closing(Web(tmp_path, run.run_dir)) as web,
            Browser(tmp_path) as browser,
            browser.page(web.url) as page,
        ):
            page.wait(f"document.querySelector('#tile-serving .value')?.textContent === '{CONNECTIONS}'")
            chance = random.Random(SEED)
            workers = [f"market-{number}.a" for number in chance.sample(range(CONNECTIONS), KILLS)]
            for kill, worker in enumerate(workers, 1):
                os.kill(pid_of(run.run_dir, worker), signal.SIGKILL)
                killed_at = time.monotonic()
                waiting = {
                    "top": lambda worker=worker: f"{worker}#1 killed by SIGKILL" in tmux.screen(),
                    "page": lambda kill=kill: page.run(DEATHS) >= kill,
                }
                while waiting and time.monotonic() - killed_at < 5 * SEEN_S:
                    for name in [name for name, look in waiting.items() if look()]:
                        del waiting[name]
                        slowest_s[name] = max(slowest_s[name], time.monotonic() - killed_at)
                    time.sleep(0.02)
                late += [f"{worker} in {name}" for name in waiting]
                wait_until(lambda: f"{CONNECTIONS}/{CONNECTIONS} workers serve" in tmux.screen(), 30.0, "the successor")
            assert page.complaints() == []
    print(f"slowest: {slowest_s}")
    assert late == []
    assert max(slowest_s.values()) < SEEN_S
