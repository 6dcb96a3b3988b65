"""Configuration and text without what must not leave the machine. Pure.

Configuration files hold no secrets, only the names of files that do (docs/configuration.md). This is the second lock: a
key of a third party's plug-in, or an address, may hold one all the same.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["HIDDEN", "public", "public_text"]

HIDDEN = "***"

_SECRET_KEY = re.compile(r"pass|secret|token|credential|api_?key|auth|signature", re.IGNORECASE)
_NAMES_A_FILE = re.compile(r"_(file|path|dir|directory)$", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s\"']+@")
_QUERY = re.compile(r"([?&;][^=&;\s\"']*(?:key|token|secret|sign|auth|pass)[^=&;\s\"']*=)[^&;\s\"']+", re.IGNORECASE)


def public(value: Any, key: str = "") -> Any:
    """Return tables, lists and values of a configuration with `HIDDEN` in place of what looks secret.

    `key`: under which `value` stands.
    """
    if isinstance(value, dict):
        return {name: public(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [public(each, key) for each in value]
    if isinstance(value, str):
        if value and _SECRET_KEY.search(key) and not _NAMES_A_FILE.search(key):
            return HIDDEN
        return public_text(value)
    return value


def public_text(text: str) -> str:
    """Return `text` without users and passwords of addresses, and without values of queries that look secret."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
