"""The private directory and its lock file, one step at a time; `test_run_dir` has the whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.runtime.run_dir_lock import (
    AlreadyRunning,
    Holder,
    RunDirRefused,
    file_identity,
    lock_directory,
    make_directory,
    open_directory,
    read_holder,
    write_holder,
)

HOLDER = Holder(pid=os.getpid(), run_id="ab" * 16, start_ticks=7, made_directory=True)


def test_a_directory_is_created_once_and_private(tmp_path: Path) -> None:
    path = str(tmp_path / "run")
    assert make_directory(path)
    assert not make_directory(path)
    assert os.stat(path).st_mode & 0o777 == 0o700


def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(RunDirRefused, match="chmod 700"):
        open_directory(str(path))
    assert open_directory(str(tmp_path / "none")) is None


def test_the_lock_names_its_holder_and_admits_no_second_one(tmp_path: Path) -> None:
    path = str(tmp_path / "run")
    make_directory(path)
    first, second = open_directory(path), open_directory(path)
    assert first is not None
    assert second is not None
    lock = lock_directory(first, path)
    assert lock is not None
    try:
        assert read_holder(lock) is None
        write_holder(lock, HOLDER)
        assert read_holder(lock) == HOLDER
        with pytest.raises(AlreadyRunning) as refused:
            lock_directory(second, path)
        assert refused.value.pid == os.getpid()
    finally:
        os.close(lock)
        os.close(first)


def test_a_file_keeps_its_identity_under_another_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("")
    before = file_identity(str(one))
    one.rename(two)
    assert file_identity(str(two)) == before
    assert file_identity(str(one)) is None
