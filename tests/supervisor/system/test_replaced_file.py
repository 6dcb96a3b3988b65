"""A file is replaced at once, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.system import replaced_file
from foxtrot_supervisor.system.replaced_file import NotReplaced, read_content, replace_content


def test_content_changes_and_mode_and_owner_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    before = path.stat()
    replace_content(read_content(str(path), 100), b"new")
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.listdir(tmp_path) == ["a.toml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_bytes(b"old")
    link = tmp_path / "link.toml"
    link.symlink_to("real.toml")
    replace_content(read_content(str(link), 100), b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.toml").read_bytes() == b"new"


def test_what_has_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    content = read_content(str(path), 100)
    path.write_bytes(b"older")
    with pytest.raises(NotReplaced, match="has changed meanwhile"):
        replace_content(content, b"new")
    assert path.read_bytes() == b"older"
    path.unlink()
    with pytest.raises(NotReplaced, match="No such file"):
        replace_content(content, b"new")
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReplaced, match="cannot be read"):
        read_content(str(tmp_path / "none"), 100)
    path = tmp_path / "a.toml"
    path.write_bytes(b"12345")
    with pytest.raises(NotReplaced, match="at most 4 bytes"):
        read_content(str(path), 4)
    monkeypatch.setattr(replaced_file.os, "access", lambda place, _: place != str(tmp_path))
    with pytest.raises(NotReplaced, match=r"the directory of .* is not writable"):
        read_content(str(path), 100)
    monkeypatch.setattr(replaced_file.os, "access", lambda place, _: place != str(path))
    with pytest.raises(NotReplaced, match=r"a\.toml is not writable"):
        read_content(str(path), 100)


def test_an_owner_that_cannot_be_kept_is_a_reason_not_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    content = read_content(str(path), 100)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(replaced_file.os, "fchmod", refuse)
    with pytest.raises(NotReplaced, match="Operation not permitted"):
        replace_content(content, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.toml"]
