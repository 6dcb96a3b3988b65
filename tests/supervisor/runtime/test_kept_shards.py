"""The shards that an application's next supervisor finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.runtime.kept_shards import NAME, KeptShards
from foxtrot_supervisor.runtime.logs import Logs


def shard(*symbols: str) -> Shard:
    return Shard(
        name="all-2",
        exchange="binance",
        channels=["trade"],
        symbols=list(symbols),
        shard_of="all",
        entries=["*"],
        symbols_max=9,
        symbol_case="upper",
        merged_as="all-1",
    )


def kept(folder: Path) -> KeptShards:
    return KeptShards(str(folder), Logs("info", "json").log)


def test_the_next_supervisor_finds_the_last_shards(tmp_path: Path) -> None:
    first = kept(tmp_path)
    first.write({})
    assert os.listdir(tmp_path) == []
    assert first.read() == {}
    first.write({"all": [shard("AUSDT")]})
    first.write({"all": [shard("AUSDT", "BUSDT")]})
    assert kept(tmp_path).read() == {"all": [shard("AUSDT", "BUSDT")]}
    assert os.listdir(tmp_path) == [NAME]
    first.write({})
    assert kept(tmp_path).read() == {}


def test_the_same_is_not_written_twice(tmp_path: Path) -> None:
    shards = kept(tmp_path)
    shards.write({"all": [shard("AUSDT")]})
    (tmp_path / NAME).unlink()
    shards.write({"all": [shard("AUSDT")]})
    assert os.listdir(tmp_path) == []


def test_a_directory_that_cannot_be_used_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "gone").write({"all": [shard("AUSDT")]})
    (tmp_path / NAME).write_text('{"all": [{}]}')
    assert kept(tmp_path).read() == {}
    assert capsys.readouterr().err.count("shards_not_kept") == 2
