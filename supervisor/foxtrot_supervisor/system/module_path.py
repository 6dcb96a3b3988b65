"""The module search path of our processes, without the working directory.

``python -c`` and ``python -m`` put the working directory first, so that a file ``signal.py`` there would replace the
module of the standard library in every process. Standard library only.
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
