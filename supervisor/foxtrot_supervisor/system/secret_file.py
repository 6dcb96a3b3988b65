"""Reads a secret from a file that is private: regular, of this user or root, readable for nobody else."""

from __future__ import annotations

import os
import stat

__all__ = ["SecretRefused", "read_secret"]


class SecretRefused(Exception):
    """The file cannot be used; the text names it and says what to do. It never contains the secret."""


def read_secret(path: str, *, least: int, most: int) -> str:
    """Return the printable ASCII text in the file `path`, without the white space around it.

    `least`, `most`: characters that it may have. Raises `SecretRefused`.
    """
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
        content = os.read(descriptor, most + 64)
    finally:
        os.close(descriptor)
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not least <= len(text) <= most or not text.isprintable() or " " in text:
        raise SecretRefused(f"{path}: must hold {least} to {most} printable ASCII characters without spaces")
    return text
