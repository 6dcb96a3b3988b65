#!/usr/bin/env python3
"""Draw the pictures of docs/web.md: the web view of a real run in which workers and the engine are killed.

    .venv/bin/python scripts/draw_web_view.py [--seconds S]

Simulated exchanges in four protocols, kills as chaos makes them; then screenshots of a headless
Chromium: desktop in light and dark, phone. Writes docs/web-light.png, docs/web-dark.png and docs/web-phone.png.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.small_png import small_png  # noqa: E402 - found by the line above
from tests.support.browser import Browser  # noqa: E402
from tests.support.command_line import Background, Run, Simulated  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

SEED = 14
BYTES_MAX = 200 * 1024
"""Most bytes of one picture."""

VENUES = {
    "binance": ("BTCUSDT,ETHUSDT,SOLUSDT", ["trade", "book", "quote"]),
    "okx": ("BTC-USDT,ETH-USDT", ["trade", "book", "quote"]),
    "bybit": ("BTCUSDT,ETHUSDT", ["trade", "book", "quote"]),
    "coinbase": ("BTC-USD,ETH-USD", ["trade", "book"]),
}
"""Symbols and channels of each simulated exchange."""

HANDLERS = """
def setup(engine):
    engine.register("eMarketTrade.", on_trade)
    engine.register("eBook.", on_book)
    engine.register("eBbo.", on_quote)


def on_trade(event):
    pass


def on_book(event):
    sum(float(size) for _, size in event.data.bids)


def on_quote(event):
    float(event.data.bid or 0)
"""

PLACE = """
(() => {
  const facts = document.querySelector("#run-facts");
  const hide = () => {
    const text = facts.textContent.replace(/^\\S+/, "/run/foxtrot");
    if (text !== facts.textContent) facts.textContent = text;
  };
  new MutationObserver(hide).observe(facts, { childList: true, characterData: true, subtree: true });
  hide();
})()
"""
"""Hides in which folder the picture was made."""

PICTURES: dict[str, dict[str, Any]] = {
    "web-light": {"width": 1440, "height": 1000, "mobile": False, "dark": False},
    "web-dark": {"width": 1440, "height": 1000, "mobile": False, "dark": True},
    "web-phone": {"width": 390, "height": 844, "mobile": True, "dark": True},
}


def main() -> None:
    """Run, kill, look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90.0, help="how long the run is disturbed before the pictures")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="web-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        run = stack.enter_context(contextlib.closing(Run(folder, _configuration(folder, stack))))
        run.running()
        web = stack.enter_context(
            contextlib.closing(Background(folder, "web", "web", "--listen", "127.0.0.1:0", "--run-dir", run.run_dir))
        )
        url = wait_until(lambda: web.out.read_text().strip(), 30.0, "the address of the page")
        _disturb(run, seconds)
        browser = stack.enter_context(Browser(folder))
        for name, size in PICTURES.items():
            _draw(browser, url, name, size)


def _configuration(folder: Path, stack: contextlib.ExitStack) -> str:
    (folder / "handlers.py").write_text(HANDLERS)
    text = '[supervisor]\nrun_dir = "RUN_DIR"\n[engine]\nhandlers = ["handlers:setup"]\n'
    for number, (venue, (symbols, channels)) in enumerate(VENUES.items(), start=1):
        place = folder / venue
        place.mkdir()
        options = ("--exchange", venue, "--symbols", symbols, "--rate", 20, "--seed", number)
        served = stack.enter_context(contextlib.closing(Simulated(place, *options)))
        for suffix, redundancy in (("spot", 2), ("backup", 1)):
            text += (
                f'[[connections]]\nname = "{venue}-{suffix}"\nexchange = "{venue}"\nredundancy = {redundancy}\n'
                f"channels = {json.dumps(channels)}\nsymbols = {json.dumps(symbols.split(','))}\n"
                f'url = "{served.url}"\nrest_url = "{served.rest_url}"\n'
            )
    return text


def _disturb(run: Run, seconds: float) -> None:
    """Kill a worker now and then, once the engine; end with a quiet moment."""
    chosen = random.Random(SEED)
    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        time.sleep(min(9.0, seconds / 6))
        number += 1
        status = run.status()
        if status is None:
            continue
        victims = [status["engine"]] if number == 3 else status["workers"]
        pid = chosen.choice(victims)["pid"]
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    time.sleep(5.0)


def _draw(browser: Browser, url: str, name: str, size: dict[str, Any]) -> None:
    with browser.page(url, **size) as page:
        page.call("Emulation.setScrollbarsHidden", hidden=True)
        page.wait("document.querySelectorAll('#levels tr').length > 5")
        time.sleep(4.0)
        page.run(PLACE)
        picture = small_png(page.picture(whole=not size["mobile"]))
    path = ROOT / "docs" / f"{name}.png"
    path.write_bytes(picture)
    print(f"written: {path.relative_to(ROOT)}, {len(picture) // 1024} KiB")
    if len(picture) > BYTES_MAX:
        raise SystemExit(f"{path} has more than {BYTES_MAX // 1024} KiB")


if __name__ == "__main__":
    main()
