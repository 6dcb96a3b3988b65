"""Search path of the configuration file in a given environment. Pure.

Every command uses this order, and names these places in its messages.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from msgspec import Struct

__all__ = ["CONFIG_NAME", "Surroundings", "config_candidates", "find_config"]

CONFIG_NAME = "foxtrot.toml"


class Surroundings(Struct, frozen=True):
    """Environment variables, working directory ("" if it was removed) and home, which determine the places."""

    environment: Mapping[str, str]
    working_directory: str
    home: str


def config_candidates(around: Surroundings) -> list[str]:
    """Return the candidates, first match wins: working directory, the user's folder, the system's folder."""
    user = around.environment.get("XDG_CONFIG_HOME", "")
    if not posixpath.isabs(user):  # the XDG specification: a relative path is invalid and ignored
        user = posixpath.join(around.home, ".config")
    here = [posixpath.join(around.working_directory, CONFIG_NAME)] if around.working_directory else []
    return [
        *here,
        posixpath.join(user, "foxtrot", CONFIG_NAME),
        posixpath.join("/etc/foxtrot", CONFIG_NAME),
    ]


def find_config(around: Surroundings, exists: Callable[[str], bool]) -> str | None:
    """Return the first candidate that exists, None without any."""
    return next((path for path in config_candidates(around) if exists(path)), None)
