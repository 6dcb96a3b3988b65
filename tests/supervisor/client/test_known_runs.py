"""Runs are found by the locks that their supervisors hold open."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from foxtrot_supervisor.client.known_runs import find_runs, runs_started_with
from foxtrot_supervisor.runtime.run_dir import RunDir


def test_a_run_is_found_by_its_configuration_after_moves_and_removals(tmp_path: Path) -> None:
    config, moved = tmp_path / "my.toml", tmp_path / "moved.toml"
    config.write_text("")
    (tmp_path / "lock").write_text("some other program's")
    with (tmp_path / "lock").open():
        held = RunDir.acquire(str(tmp_path / "run"), 7, str(config))
        without = RunDir.acquire(str(tmp_path / "without"))

        def found(path: Path, identity: tuple[int, int] | None = None) -> list[str]:
            return [run.run_dir for run in runs_started_with(find_runs(), str(path), identity)]

        here = {run.run_id: run for run in find_runs()}
        assert (here[held.run_id].pid, here[held.run_id].run_dir) == (os.getpid(), held.path)
        assert without.run_id in here
        assert found(config) == [held.path]
        config.rename(moved)
        assert found(config) == [held.path]
        assert found(moved) == []
        facts = moved.stat()
        assert found(moved, (facts.st_dev, facts.st_ino)) == [held.path]
        shutil.rmtree(held.path)
        assert found(config) == [held.path]
        held.restore()
        assert found(config) == [held.path]
        held.release()
        without.release()
        assert found(config) == []
