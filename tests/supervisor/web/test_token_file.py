"""The token's file: private, of this user, and a token that nobody guesses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.web.access import TOKEN_CHARS_MAX
from foxtrot_supervisor.web.token_file import TokenRefused, read_token

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


def test_the_token_is_read_without_white_space(place: Path) -> None:
    assert read_token(str(place)) == TOKEN
    place.chmod(0o400)
    assert read_token(str(place)) == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused(place: Path, mode: int) -> None:
    place.chmod(mode)
    with pytest.raises(TokenRefused, match="chmod 600") as error:
        read_token(str(place))
    assert TOKEN not in str(error.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(place: Path) -> None:
    os.chown(place, 12345, -1)
    with pytest.raises(TokenRefused, match="belongs to uid 12345"):
        read_token(str(place))


@pytest.mark.parametrize(
    "text", ["", "short", "x" * (TOKEN_CHARS_MAX + 1), f"{TOKEN} {TOKEN}", f"{TOKEN}\n{TOKEN}", "é" * 40, "\x00" * 40]
)
def test_what_is_no_token_is_refused_and_not_quoted(place: Path, text: str) -> None:
    place.write_text(text)
    with pytest.raises(TokenRefused, match="32 to 512") as error:
        read_token(str(place))
    assert TOKEN not in str(error.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "regular"), (tmp_path / "pipe", "regular")):
        with pytest.raises(TokenRefused, match=reason):
            read_token(str(path))
    with pytest.raises(TokenRefused, match="null"):
        read_token("a\0b")
