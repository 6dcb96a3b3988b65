"""The file that holds the token of the web view: private, and of this user or root."""

from __future__ import annotations

import os
import stat

from foxtrot_supervisor.web.access import TOKEN_CHARS_MAX, TOKEN_CHARS_MIN

__all__ = ["TokenRefused", "read_token"]


class TokenRefused(Exception):
    """The file cannot be used; the text names it and says what to do."""


def read_token(path: str) -> str:
    """Return the token in the file `path`, without the white space around it; raises `TokenRefused`.

    The file must be regular, belong to this user or root, and be readable for nobody else.
    """
    try:
        # without O_NONBLOCK a named pipe would block the start
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise TokenRefused(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise TokenRefused(f"{path}: not a regular file")
        if facts.st_uid not in (0, os.geteuid()):
            raise TokenRefused(f"{path}: belongs to uid {facts.st_uid}, not to {os.geteuid()}")
        if facts.st_mode & 0o077:
            raise TokenRefused(f"{path}: other users may read it (mode {stat.S_IMODE(facts.st_mode):04o}): chmod 600")
        content = os.read(descriptor, TOKEN_CHARS_MAX + 64)
    finally:
        os.close(descriptor)
    try:
        token = content.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX or not token.isprintable() or " " in token:
        raise TokenRefused(
            f"{path}: a token has {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} printable ASCII characters and no spaces; "
            f"make one: (umask 077; openssl rand -hex 32 > {path})"
        )
    return token
