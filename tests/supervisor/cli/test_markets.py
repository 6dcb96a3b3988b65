"""The command `markets`: tables, patterns, an exchange that cannot be asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.cli import markets as command
from foxtrot_supervisor.config.markets import FRESH_S
from foxtrot_supervisor.markets.market_list import ListSource, ListUnavailable, MarketList
from tests.support.called_commands import Run

LIST = [
    Instrument(symbol="BTC-USDT", instrument="BTC-USDT", kind="spot", tick_size="0.1", lot_size="0.001"),
    Instrument(symbol="BTC-USD-220527", instrument="BTC-USD-22K27", kind="future", expiry_ns=1_653_609_600 * 10**9),
    Instrument(symbol="OLD-USDT", instrument="OLD-USDT", kind="spot", status="halted"),
]


class Lists:
    """What the exchange would answer, and how often it was asked."""

    def __init__(self) -> None:
        self.problem = ""
        self.asked: list[ListSource] = []

    def fetch(self, source: ListSource, directory: str, now: float) -> MarketList:
        self.asked.append(source)
        if self.problem:
            raise ListUnavailable(self.problem)
        return MarketList(exchange=source.exchange, fetched_at=now, instruments=LIST)


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lists:
    lists = Lists()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(command, "fetch", lists.fetch)
    return lists


def keep(folder: Path, age_s: float, instruments: Sequence[Instrument] = LIST) -> None:
    (folder / "foxtrot").mkdir(exist_ok=True)
    kept = MarketList(exchange="okx", fetched_at=time.time() - age_s, instruments=list(instruments))
    (folder / "foxtrot" / "markets-okx.json").write_bytes(msgspec.json.encode(kept))


def test_a_table_of_what_is_traded(run: Run, lists: Lists) -> None:
    assert run("markets", "okx") == 0
    assert "BTC-USD-220527" in run.out
    assert "2022-05-27" in run.out
    assert "0.001" in run.out
    assert "OLD-USDT" not in run.out
    assert run.out.splitlines()[-1] == "okx: 2 of 3 instruments, list 0 s old"
    assert run("markets", "okx", "--all") == 0
    assert "halted" in run.out


def test_patterns_select_and_what_matches_nothing_is_named(run: Run, lists: Lists) -> None:
    assert run("markets", "okx", "--match", "*-USDT", "--match", "BTC-UST", "--json") == 0
    (report,) = run.lines()
    assert [each["symbol"] for each in report["instruments"]] == ["BTC-USDT"]
    assert report["instruments"][0]["status"] == "trading"
    assert (report["listed"], report["problem"]) == (3, "")
    assert run.err.startswith("BTC-UST: is not listed (nearest: BTC-USDT")


def test_a_young_list_is_shown_without_asking(run: Run, lists: Lists, tmp_path: Path) -> None:
    keep(tmp_path, 60.0, LIST[:1])
    assert run("markets", "okx") == 0
    assert run.out.splitlines()[-1] == "okx: 1 of 1 instruments, list 1 min old"
    assert lists.asked == []
    assert run("markets", "okx", "--refresh", "--proxy", "http://p:1") == 0
    assert lists.asked == [ListSource(exchange="okx", proxy="http://p:1")]


def test_with_a_bad_network_the_kept_list_is_shown_with_its_age(run: Run, lists: Lists, tmp_path: Path) -> None:
    keep(tmp_path, 2 * FRESH_S)
    lists.problem = "no route to host"
    assert run("markets", "okx") == 0
    assert run.err == "okx: the list is 2 h old: no route to host\n"
    assert "BTC-USDT" in run.out
    assert run("markets", "okx", "--offline") == 0
    assert run.err == ""


def test_without_any_list(run: Run, lists: Lists) -> None:
    lists.problem = "no route to host"
    assert run("markets", "okx") == 1
    assert run.err == "okx: no list of instruments: no route to host\n"
    assert run("markets", "okx", "--offline") == 1
    assert run.err == "okx: no list of instruments: none was kept (asked to stay offline)\n"


def test_mistakes(run: Run, lists: Lists) -> None:
    assert run("markets", "nowhere") == 2
    assert run.err == "unknown exchange 'nowhere'\n"
    assert run("markets", "okx", "--match", "kind:swap") == 2
    assert "names no kind of instrument: 'swap'" in run.err
