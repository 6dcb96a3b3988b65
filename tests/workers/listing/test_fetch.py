"""The program that fetches an instrument list: one object, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys

from foxtrot_workers.listing.fetch import main


def test_an_unknown_exchange_is_named() -> None:
    assert "unknown exchange 'nowhere'" in main(["nowhere"]).error


def test_the_program_prints_one_object() -> None:
    command = [sys.executable, "-m", "foxtrot_workers.listing.fetch", "binance", "--rest-url", "http://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert "http://127.0.0.1:1" in json.loads(done.stdout)["error"]
