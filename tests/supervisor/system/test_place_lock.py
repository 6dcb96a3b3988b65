"""The lock on a path stays when the path is removed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_supervisor.system import place_lock
from foxtrot_supervisor.system.peer_credentials import PeerCredentials
from foxtrot_supervisor.system.place_lock import PlaceLock, PlaceTaken

_HOLD = """
import sys
from foxtrot_supervisor.system.place_lock import PlaceLock
held = PlaceLock.acquire(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""


def test_one_holder_at_a_time_for_every_spelling_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    held = PlaceLock.acquire(str(tmp_path / "run"))
    with pytest.raises(PlaceTaken) as taken:
        PlaceLock.acquire(str(tmp_path / "link" / "run"))
    assert taken.value.pid == os.getpid()
    PlaceLock.acquire(str(tmp_path / "other")).close()
    held.close()
    held.close()
    PlaceLock.acquire(str(tmp_path / "run")).close()


def test_the_lock_is_free_after_its_holder_was_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PlaceTaken) as taken:
            PlaceLock.acquire(str(tmp_path / "run"))
        assert taken.value.pid == holder.pid
    finally:
        holder.kill()
        holder.communicate()
    PlaceLock.acquire(str(tmp_path / "run")).close()


def test_a_name_held_by_another_user_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "run")
    held = PlaceLock.acquire(path)
    monkeypatch.setattr(place_lock, "credentials_of", lambda _: PeerCredentials(1, 12345, 1))
    PlaceLock.acquire(path).close()
    held.close()


def test_a_name_with_an_unknown_holder_is_ignored_after_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "run")
    held = PlaceLock.acquire(path)
    assert held._holder is not None
    address = held._holder.getsockname()
    monkeypatch.setattr(place_lock, "DYING_S", 0.02)
    waiting = []
    for _ in range(3):  # fill what it may have waiting
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(address)
    PlaceLock.acquire(path).close()
    for each in waiting:
        each.close()
    held.close()
