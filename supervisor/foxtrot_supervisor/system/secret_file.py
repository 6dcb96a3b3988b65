"""Reads a secret from a file that is private: regular, of this user or root, readable for nobody else."""

from __future__ import annotations

import os
import stat

__all__ = ["SecretRefused", "open_secret", "read_secret", "read_secret_lines"]


class SecretRefused(Exception):
    """The file cannot be used; the text names it and says what to do. It never contains the secret."""


def read_secret(path: str, *, least: int, most: int) -> str:
    """Return the printable ASCII text in the file `path`, without the white space around it.

    `least`, `most`: characters that it may have. Raises `SecretRefused`.
    """
    text = _text(path, most).strip()
    if not least <= len(text) <= most or not text.isprintable() or " " in text:
        raise SecretRefused(f"{path}: must hold {least} to {most} printable ASCII characters without spaces")
    return text


def read_secret_lines(path: str, *, most: int) -> str:
    """Return the ASCII text of several lines in the file `path`, at most `most` bytes; raises `SecretRefused`."""
    text = _text(path, most)
    if not 0 < len(text) <= most or not all(line.isprintable() for line in text.splitlines()):
        raise SecretRefused(f"{path}: must hold 1 to {most} bytes of ASCII text")
    return text


def open_secret(path: str) -> int:
    """Open a private file and return its descriptor, which the caller closes; raises `SecretRefused`."""
    try:
        # without O_NONBLOCK a named pipe would block the start
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise SecretRefused(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise SecretRefused(f"{path}: not a regular file")
        if facts.st_uid not in (0, os.geteuid()):
            raise SecretRefused(f"{path}: belongs to uid {facts.st_uid}, not to {os.geteuid()}")
        if facts.st_mode & 0o077:
            raise SecretRefused(f"{path}: other users may read it (mode {stat.S_IMODE(facts.st_mode):04o}): chmod 600")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _text(path: str, most: int) -> str:
    """The text of a private file, "" if it is not ASCII; of one that is too long, more than `most` characters."""
    descriptor = open_secret(path)
    try:
        content = os.read(descriptor, most + 64)
    finally:
        os.close(descriptor)
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        return ""
