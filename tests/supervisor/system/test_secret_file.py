"""A secret is read from a private file only; no refusal repeats it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret


def written(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_it_is_read_without_white_space_around(tmp_path: Path) -> None:
    assert read_secret(written(tmp_path / "t", b"  abcdef\n"), least=4, most=8) == "abcdef"


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"abc def", b"123456789", b"123456789" * 100, b"ab\x00cd", b"\xff" * 5]
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SecretRefused, match="must hold 4 to 8 printable") as refused:
        read_secret(written(tmp_path / "t", content), least=4, most=8)
    assert content.decode("latin-1") not in str(refused.value) or not content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretRefused, match="chmod 600"):
        read_secret(written(tmp_path / "t", b"abcdef", mode), least=4, most=8)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretRefused, match="No such file"):
        read_secret(str(tmp_path / "none"), least=4, most=8)
    with pytest.raises(SecretRefused, match="not a regular file"):
        read_secret(str(tmp_path), least=4, most=8)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretRefused, match="not a regular file"):
        read_secret(str(tmp_path / "pipe"), least=4, most=8)
    with pytest.raises(SecretRefused, match="null byte"):
        read_secret("a\0b", least=4, most=8)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t", b"abcdef")
    os.chown(path, 12345, 12345)
    with pytest.raises(SecretRefused, match="belongs to uid 12345"):
        read_secret(path, least=4, most=8)
