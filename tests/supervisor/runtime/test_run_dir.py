"""The run directory: one holder, private, left as found."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused, default_path
from tests.support.waiting import wait_until

_HOLD = """
import sys
from foxtrot_supervisor.runtime.run_dir import RunDir
held = RunDir.acquire(sys.argv[1])
open(sys.argv[1] + "/control.ipc", "w").close()
print(held.run_id, flush=True)
sys.stdin.read()
"""


def hold_elsewhere(path: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that holds `path`; and its run id."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


def end(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate(timeout=5)


def test_makes_it_private_and_takes_it_away(tmp_path: Path) -> None:
    path = tmp_path / "run"
    held = RunDir.acquire(str(path))
    assert path.stat().st_mode & 0o777 == 0o700
    assert held.predecessor is None
    (path / "stacks-a-1.txt").touch()
    assert held.files() == ["stacks-a-1.txt"]
    held.release()
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    (path / "my-notes").touch()
    (path / "backup.sock").mkdir()
    held = RunDir.acquire(str(path))
    (path / "data.ipc").touch()
    assert held.remove_files() == ["data.ipc"]
    held.release()
    assert sorted(entry.name for entry in path.iterdir()) == ["backup.sock", "my-notes"]


def test_a_directory_that_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    RunDir.acquire(str(path)).release()
    assert list(path.iterdir()) == []


def test_second_holder_learns_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "run"
    holder, _ = hold_elsewhere(path)
    try:
        with pytest.raises(AlreadyRunning) as caught:
            RunDir.acquire(str(path))
        assert caught.value.pid == holder.pid
        assert str(holder.pid) in str(caught.value)
    finally:
        end(holder)


def test_two_run_ids_differ(tmp_path: Path) -> None:
    first, second = RunDir.acquire(str(tmp_path / "a")), RunDir.acquire(str(tmp_path / "b"))
    try:
        assert first.run_id != second.run_id
    finally:
        first.release()
        second.release()


def test_successor_of_a_killed_holder_knows_and_tidies_up(tmp_path: Path) -> None:
    path = tmp_path / "run"
    holder, run_id = hold_elsewhere(path)
    end(holder)
    assert (path / "control.ipc").exists()
    held = RunDir.acquire(str(path))
    assert held.predecessor is not None
    assert (held.predecessor.run_id, held.predecessor.pid) == (run_id, holder.pid)
    assert held.remove_files() == ["control.ipc"]
    held.release()
    assert not path.exists()  # the killed one had made it


def test_unreadable_lock_of_a_dead_holder_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    (path / "lock").write_bytes(b"\xff garbage")
    held = RunDir.acquire(str(path))
    assert held.predecessor is None
    held.release()


def test_lock_taken_away_between_open_and_lock_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leaving holder unlinks the file that a newcomer has just opened: the newcomer must not hold a ghost."""
    import fcntl

    path = tmp_path / "run"
    real = fcntl.flock
    calls = []

    def flock(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            (path / "lock").unlink()
            path.rmdir()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    held = RunDir.acquire(str(path))
    assert len(calls) == 3  # the last one is on the directory itself
    assert (path / "lock").exists()
    held.release()


def test_gives_up_on_a_directory_that_keeps_vanishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    path = tmp_path / "run"
    monkeypatch.setattr(fcntl, "flock", lambda *_: (path / "lock").unlink())
    with pytest.raises(RunDirRefused, match="keeps vanishing"):
        RunDir.acquire(str(path))


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(RunDirRefused, match="symbolic link"):
        RunDir.acquire(str(tmp_path / "link") + "/")


def test_lock_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    (path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(RunDirRefused, match="lock cannot be opened"):
        RunDir.acquire(str(path))
    assert not (tmp_path / "victim").exists()


def test_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(RunDirRefused, match="chmod 700"):
        RunDir.acquire(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    os.chown(path, 12345, -1)
    with pytest.raises(RunDirRefused, match="belongs to uid 12345"):
        RunDir.acquire(str(path))


def test_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(RunDirRefused, match="cannot be opened"):
        RunDir.acquire(str(tmp_path / "run"))


def test_missing_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirRefused, match="cannot be made"):
        RunDir.acquire(str(tmp_path / "no" / "run"))


def test_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirRefused, match="shorten run_dir"):
        RunDir.acquire(str(tmp_path / ("x" * 100)))


def test_refusals_leak_no_descriptor(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    for _ in range(5):
        with pytest.raises(RunDirRefused):
            RunDir.acquire(str(tmp_path / "run"))
    held = RunDir.acquire(str(tmp_path / "other"))
    held.release()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_sockets_are_removed_too(tmp_path: Path) -> None:
    held = RunDir.acquire(str(tmp_path / "run"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{held.path}/operator.sock")
    held.remove("operator.sock")
    held.remove("operator.sock")
    assert held.files() == []
    held.release()


def test_a_holder_whose_lock_was_removed_still_holds_the_path(tmp_path: Path) -> None:
    path = tmp_path / "run"
    holder, run_id = hold_elsewhere(path)
    try:
        (path / "lock").write_text("")
        with pytest.raises(AlreadyRunning, match=f"pid {holder.pid}"):
            RunDir.acquire(str(path))
        shutil.rmtree(path)
        with pytest.raises(AlreadyRunning, match=f"pid {holder.pid}"):
            RunDir.acquire(str(path))
        assert not path.exists()
    finally:
        end(holder)
    wait_until(lambda: holder.poll() is not None, what="its end")
    assert run_id


def test_an_unsafe_parent_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(RunDirRefused, match="every user can replace"):
        RunDir.acquire(str(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        held = RunDir.acquire(str(tmp_path / "run"))
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "run" / "lock").stat().st_mode & 0o777 == 0o600
    held.release()


def test_what_is_missing_is_made_again_under_the_same_run_id(tmp_path: Path) -> None:
    path = tmp_path / "run"
    held = RunDir.acquire(str(path))
    assert held.missing() == []
    (path / "lock").unlink()
    assert held.missing() == ["lock"]
    held.restore()
    assert held.missing() == []
    shutil.rmtree(path)
    assert held.missing() == ["directory", "lock"]
    held.restore()
    assert held.missing() == []
    assert held.run_id in (path / "lock").read_text()
    with pytest.raises(AlreadyRunning):
        RunDir.acquire(str(path))
    held.release()
    assert not path.exists()


def test_what_took_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run"
    held = RunDir.acquire(str(path))
    shutil.rmtree(path)
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    (path / "other.sock").touch()
    with pytest.raises(RunDirRefused):
        held.restore()
    held.release()
    assert (path / "other.sock").exists()


def test_cleaners_of_temporary_files_are_kept_out(tmp_path: Path) -> None:
    """systemd-tmpfiles takes this lock on what it cleans, and looks at times."""
    held = RunDir.acquire(str(tmp_path / "run"))
    cleaner = os.open(held.path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(cleaner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(cleaner)
    for name in ("", "lock"):
        os.utime(tmp_path / "run" / name, (1.0, 1.0))
    held.refresh()
    assert min((tmp_path / "run" / name).stat().st_mtime for name in ("", "lock")) > 1.0
    held.release()


def test_what_outlives_its_holder_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run"
    holder, _ = hold_elsewhere(path)
    # what a killed holder leaves for some milliseconds: a descriptor in a child that was just being started
    lingering = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[lock := os.open(path / "lock", os.O_RDWR)],
    )
    assert lingering.stdout is not None
    lingering.stdout.readline()
    end(holder)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.close(lock)
    with ThreadPoolExecutor(1) as other:
        acquired = other.submit(RunDir.acquire, str(path))
        assert not wait([acquired], timeout=0.1).done
        lingering.communicate()
        acquired.result(timeout=5).release()


def test_default_path() -> None:
    assert default_path({"XDG_RUNTIME_DIR": "/run/user/5"}, 5) == "/run/user/5/foxtrot"
    assert default_path({}, 5).endswith("/foxtrot-5")
    assert default_path({"XDG_RUNTIME_DIR": "relative"}, 5).endswith("/foxtrot-5")


def test_two_may_hold_it_and_it_is_free_when_both_are_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "run")
    first = RunDir.acquire(path, 77)
    with pytest.raises(RunDirRefused, match="not locked by the process"):
        RunDir.inherit(path, first.directory, first.lock, "another run")
    second = RunDir.inherit(path, os.dup(first.directory), os.dup(first.lock), first.run_id)
    assert (second.run_id, second.start_ticks, second.predecessor) == (first.run_id, 77, None)
    first.leave()
    with pytest.raises(AlreadyRunning):
        RunDir.acquire(path)
    second.release()
    second.release()  # without effect: its descriptors may be another file's by now
    second.leave()
    assert list(tmp_path.iterdir()) == []


def test_the_other_holder_follows_when_one_has_made_it_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    application = RunDir.acquire(str(path))
    supervisor = RunDir.inherit(str(path), os.dup(application.directory), os.dup(application.lock), application.run_id)
    application.rejoin()
    shutil.rmtree(path)
    supervisor.restore()
    assert application.missing() == ["directory", "lock"]
    application.rejoin()
    assert application.missing() == supervisor.missing() == []
    shutil.rmtree(path)
    supervisor.leave()
    application.rejoin()  # no other holder is left to do it
    assert application.missing() == []
    application.release()
    assert not path.exists()
