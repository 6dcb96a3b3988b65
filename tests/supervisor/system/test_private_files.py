"""Files and directories that only this user can have changed."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_supervisor.system import private_files
from foxtrot_supervisor.system.private_files import (
    create_private,
    open_kept,
    open_private,
    opened_directory,
    unsafe_parent,
)

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    with opened_directory(str(tmp_path)) as descriptor:
        yield descriptor


def test_a_world_writable_parent_is_unsafe_at_any_height(tmp_path: Path) -> None:
    middle = tmp_path / "open" / "middle"
    middle.mkdir(parents=True)
    assert unsafe_parent(str(middle / "run")) == ""
    (tmp_path / "open").chmod(0o777)
    assert "every user can replace entries of" in unsafe_parent(str(middle / "run"))
    assert str(tmp_path / "open") in unsafe_parent(str(middle / "run"))
    (tmp_path / "open").chmod(0o1777)
    assert unsafe_parent(str(middle / "run")) == ""


def test_a_parent_of_a_group_with_other_members_is_unsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o770)
    monkeypatch.setattr(private_files, "_only_ours", lambda _: False)
    assert "other members of group" in unsafe_parent(str(tmp_path / "run"))
    monkeypatch.setattr(private_files, "_only_ours", lambda _: True)
    assert unsafe_parent(str(tmp_path / "run")) == ""


def test_a_private_group_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert private_files._only_ours(0)
    assert not private_files._only_ours(3_000_000_000)
    shared = grp.struct_group(("shared", "x", 70_000, ["nobody"]))
    monkeypatch.setattr(grp, "getgrgid", lambda _: shared)
    assert not private_files._only_ours(70_000)


def test_symbolic_links_on_the_way_are_followed_and_judged(tmp_path: Path) -> None:
    (tmp_path / "real" / "open").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/../real/open")
    (tmp_path / "real" / "open").chmod(0o777)
    assert "every user" in unsafe_parent(str(tmp_path / "link" / "run"))
    (tmp_path / "real" / "open").chmod(0o700)
    assert unsafe_parent(str(tmp_path / "link" / "run")) == ""
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    assert unsafe_parent(str(tmp_path / "absolute" / "run")) == ""
    (tmp_path / "round").symlink_to("round")
    assert "symbolic links" in unsafe_parent(str(tmp_path / "round" / "run"))
    assert unsafe_parent(str(tmp_path / "missing" / "run")) == ""


@AS_ROOT
def test_entries_of_another_user_are_unsafe(tmp_path: Path, directory: int) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    os.chown(foreign, 12345, -1)
    assert "belongs to uid 12345" in unsafe_parent(str(foreign / "run"))
    (tmp_path / "link").symlink_to(tmp_path)
    os.lchown(tmp_path / "link", 12345, -1)
    assert "symbolic link" in unsafe_parent(str(tmp_path / "link" / "run"))
    with pytest.raises(PermissionError, match="belongs to uid 12345"), opened_directory(str(foreign)):
        pass
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 12345, -1)
    for opened in (open_private, create_private, open_kept):
        with pytest.raises(PermissionError, match="belongs to uid 12345"):
            opened("file", os.O_RDWR, directory)


def test_only_regular_files_are_opened_without_blocking(tmp_path: Path, directory: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_private("pipe", os.O_RDWR, directory)
    (tmp_path / "link").symlink_to("target")
    for opened in (open_private, create_private, open_kept):
        with pytest.raises(OSError, match=r"symbolic link|Too many levels"):
            opened("link", os.O_RDWR, directory)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("umask", [0o777, 0o000])
def test_created_files_have_mode_0600(tmp_path: Path, directory: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.close(create_private("file", os.O_RDWR, directory))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_removed_file_is_read_through_a_kept_descriptor(tmp_path: Path, directory: int) -> None:
    (tmp_path / "ring").write_text("kept")
    kept = os.open(tmp_path / "ring", os.O_RDWR)
    (tmp_path / "ring").unlink()
    (tmp_path / "ring").symlink_to(f"/proc/{os.getpid()}/fd/{kept}")
    again = open_kept("ring", os.O_RDWR, directory)
    assert os.read(again, 10) == b"kept"
    os.close(again)
    os.close(kept)
    reading, writing = os.pipe()
    (tmp_path / "pipe").symlink_to(f"/proc/{os.getpid()}/fd/{reading}")
    with pytest.raises(OSError, match="not a regular file"):
        open_kept("pipe", os.O_RDONLY, directory)
    os.close(reading)
    os.close(writing)
