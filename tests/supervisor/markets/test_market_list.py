"""Lists are fetched by another program and kept; neither that program nor the file can break the reader."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.markets import market_list
from foxtrot_supervisor.markets.market_list import (
    ListSource,
    ListUnavailable,
    MarketList,
    cache_path,
    fetch,
    kept,
)

SOURCE = ListSource(exchange="binance")
GOOD = """
import json, sys
print(json.dumps({"instruments": [{"symbol": "BTCUSDT", "instrument": " ".join(sys.argv[1:])}]}))
"""


def planted(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> str:
    (folder / "planted_list.py").write_text(textwrap.dedent(code))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "planted_list"


def test_a_list_is_fetched_and_kept_for_this_user_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = planted(tmp_path, monkeypatch, GOOD)
    folder = tmp_path / "cache"
    found = fetch(SOURCE, str(folder), 5.0, module=module)
    assert found == MarketList(
        exchange="binance", fetched_at=5.0, instruments=[Instrument(symbol="BTCUSDT", instrument="binance")]
    )
    assert kept(SOURCE, str(folder)) == found
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_lists_of_other_addresses_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = planted(tmp_path, monkeypatch, GOOD)
    other = ListSource(exchange="binance", rest_url="http://test", ca_file="ca", proxy="http://p")
    found = fetch(other, str(tmp_path / "c"), 5.0, module=module)
    assert found.instruments[0].instrument == "binance --rest-url http://test --ca-file ca --proxy http://p"
    assert kept(SOURCE, str(tmp_path / "c")) is None
    assert kept(other, str(tmp_path / "c")) == found


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('print(\'{"error": "HTTP 418"}\')', "HTTP 418"),
        ("print('{}')", "the exchange lists no instrument"),
        ("import sys; sys.exit('went mad')", "the program that fetches it ended with 1: went mad"),
        ("print('[1]')", "ended with 0: no message"),
        ("import time; time.sleep(60)", "no complete list within 0.5 s"),
    ],
)
def test_a_list_that_is_not_had_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr(market_list, "FETCH_S", 0.5 if "sleep" in code else 60.0)
    with pytest.raises(ListUnavailable, match=reason):
        fetch(SOURCE, str(tmp_path / "cache"), 5.0, module=planted(tmp_path, monkeypatch, code))


def test_without_an_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_PYTHON", str(tmp_path / "none"))
    with pytest.raises(ListUnavailable, match="no Python interpreter"):
        fetch(SOURCE, str(tmp_path), 5.0)


def test_a_list_that_cannot_be_kept_is_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file")
    assert fetch(SOURCE, str(tmp_path / "cache"), 5.0, module=planted(tmp_path, monkeypatch, GOOD)).instruments
    assert kept(SOURCE, str(tmp_path / "cache")) is None


def test_a_kept_list_that_cannot_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    fetch(SOURCE, str(folder), 5.0, module=planted(tmp_path, monkeypatch, GOOD))
    (file,) = folder.iterdir()
    for content in (b"", b"[]", b"\xff", b"[" * 100_000):
        file.write_bytes(content)
        assert kept(SOURCE, str(folder)) is None
    monkeypatch.setattr(market_list, "LIST_BYTES_MAX", 10)
    file.write_bytes(b'{"exchange": "binance"}')
    assert kept(SOURCE, str(folder)) is None
    file.unlink()
    os.symlink("/etc/passwd", file)
    assert kept(SOURCE, str(folder)) is None


def test_where_lists_are_kept() -> None:
    assert cache_path({}, "/home/me") == "/home/me/.cache/foxtrot"
    assert cache_path({"XDG_CACHE_HOME": "/var/cache"}, "/home/me") == "/var/cache/foxtrot"
    assert cache_path({"XDG_CACHE_HOME": "relative"}, "/home/me") == "/home/me/.cache/foxtrot"
