"""Directories of sinks: private, linked for new sinks, emptied at the end except for spools."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from foxtrot_protocol.endpoints import parse_left_name
from foxtrot_supervisor.runtime.sink_directories import (
    LEFT_RUNS_MAX,
    link_rings,
    linked_rings,
    make_directories,
    remove_left,
    remove_links,
    set_aside,
)


def test_directories_are_private_and_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        make_directories(str(tmp_path), ["tape", "tap"])
    assert sorted(os.listdir(tmp_path / "sinks")) == ["tap", "tape"]
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("sinks", "sinks/tap")]
    assert modes == [0o700, 0o700]


def test_rings_of_running_workers_are_linked_for_a_new_sink(tmp_path: Path) -> None:
    make_directories(str(tmp_path), ["tape"])
    (tmp_path / "ring-sim.a-2").write_text("ring")
    for _ in range(2):
        link_rings(str(tmp_path), "tape", {"sim.a": 2, "sim.b": 1})
    assert linked_rings(str(tmp_path)) == {"tape": ["ring-sim.a-2"]}
    assert (tmp_path / "sinks/tape/ring-sim.a-2").samefile(tmp_path / "ring-sim.a-2")


def test_links_go_and_spools_stay(tmp_path: Path) -> None:
    make_directories(str(tmp_path), ["tape", "tap", "kept"])
    for name in ("tape/ring-sim.a-1", "tape/spool-1.seg", "tape/positions.map", "tap/ring-sim.a-1", "kept/ring-x.a-1"):
        (tmp_path / "sinks" / name).touch()
    remove_links(str(tmp_path), keep=["kept"])
    assert sorted(os.listdir(tmp_path / "sinks")) == ["kept", "tape"]
    assert os.listdir(tmp_path / "sinks/tape") == ["spool-1.seg"]
    assert linked_rings(str(tmp_path)) == {"kept": ["ring-x.a-1"]}
    remove_links(str(tmp_path))
    (tmp_path / "sinks/tape/spool-1.seg").unlink()
    remove_links(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_without_sinks_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert linked_rings(str(tmp_path)) == {}
    remove_links(str(tmp_path / "missing"))


def test_rings_of_killed_runs_are_set_aside_in_order_up_to_a_bound(tmp_path: Path) -> None:
    make_directories(str(tmp_path), ["tape"])
    tape = tmp_path / "sinks/tape"
    (tape / "spool-1.seg").touch()
    for number in range(LEFT_RUNS_MAX + 1):
        for name in ("ring-sim.a-1", "positions.map"):
            (tape / name).touch()
        assert set_aside(str(tmp_path), "tape", f"run{number}") is (number < LEFT_RUNS_MAX)
    remove_links(str(tmp_path))
    left = sorted(name for name in os.listdir(tape) if name != "spool-1.seg")
    assert [parse_left_name(name) for name in left] == [(n + 1, f"run{n}") for n in range(LEFT_RUNS_MAX)]
    assert sorted(os.listdir(tape / left[0])) == ["positions.map", "ring-sim.a-1"]
    assert remove_left(str(tmp_path), keep=["tape"]) == []
    assert remove_left(str(tmp_path), keep=["other"]) == ["tape"]
    assert os.listdir(tape) == ["spool-1.seg"]
