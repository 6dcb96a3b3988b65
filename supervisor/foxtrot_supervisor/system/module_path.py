"""The module search path of processes of ours: nothing of the working directory can take the place of a module.

``python -c`` and ``python -m`` put the working directory first, so that a user's file ``signal.py`` there would run in,
and end, every process of ours. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["without_working_directory"]


def without_working_directory(path: Sequence[str], folder: str | None, named: str) -> list[str]:
    """Return the module search path `path` without what the interpreter itself put there for the working directory.

    `folder`: the working directory, None if it is gone; `named`: the value of ``PYTHONPATH``, whose folders are kept.
    """
    kept = [entry for entry in path if entry]
    asked = {os.path.abspath(entry) for entry in named.split(os.pathsep) if entry}
    if path and path[0] and path[0] == folder and folder not in asked:
        return kept[1:]
    return kept
