"""Where a configuration is looked for, and where a run is: pure, from the environment given.

The order is written down once, here, so that every command looks in the same places and can say which
they were.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping

from msgspec import Struct

__all__ = ["CONFIG_NAME", "Surroundings", "config_candidates", "default_run_dir", "find_config"]

CONFIG_NAME = "foxtrot.toml"


class Surroundings(Struct, frozen=True):
    """What the places depend on: environment variables, working directory, home, user, temporary directory."""

    environment: Mapping[str, str]
    working_directory: str
    home: str
    uid: int
    temporary_directory: str


def config_candidates(around: Surroundings) -> list[str]:
    """Where a configuration is looked for, first found wins: here, the user's folder, the system's."""
    user = around.environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(user):  # the XDG specification: a relative path is invalid and ignored
        user = os.path.join(around.home, ".config")
    return [
        os.path.join(around.working_directory, CONFIG_NAME),
        os.path.join(user, "foxtrot", CONFIG_NAME),
        os.path.join("/etc/foxtrot", CONFIG_NAME),
    ]


def find_config(around: Surroundings, exists: Callable[[str], bool]) -> str | None:
    """The first candidate that exists, None without any."""
    return next((path for path in config_candidates(around) if exists(path)), None)


def default_run_dir(around: Surroundings) -> str:
    """$XDG_RUNTIME_DIR/foxtrot, else a folder of this user's own under the temporary directory."""
    runtime = around.environment.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        return os.path.join(runtime, "foxtrot")
    return os.path.join(around.temporary_directory, f"foxtrot-{around.uid}")
