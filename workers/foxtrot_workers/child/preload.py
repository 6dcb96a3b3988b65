"""Preloaded modules of a template process, and checks that a copy of the process would be sound and current."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable

__all__ = ["Preloaded"]


class Preloaded:
    """Modules imported once for all copies of this process.

    Args:
        modules: names; one that cannot be imported is skipped, and the copy that needs it reports why.
        folder: folder of users' modules, prepended to the module search path; "" for none. Files in it are compared
            before each copy, which would otherwise run old code.
    """

    def __init__(self, modules: Iterable[str], folder: str = "") -> None:
        if folder:
            sys.path.insert(0, folder)
        before = set(sys.modules)
        for module in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        self._files = _state_of(_files_in(folder, set(sys.modules) - before)) if folder else {}

    def unsound(self) -> str:
        """Return why this process cannot be copied now; "" if it can."""
        threads = len(os.listdir("/proc/self/task"))
        if threads > 1:
            return f"a module that is imported ahead has started threads ({threads - 1}): copies would lack them"
        return ""

    def changed(self) -> str:
        """Return the first watched file that has changed since its import; "" for none."""
        now = _state_of(self._files)
        return next((path for path, state in self._files.items() if now[path] != state), "")


def _files_in(folder: str, modules: Iterable[str]) -> list[str]:
    root = os.path.realpath(folder)
    files = [getattr(sys.modules.get(name), "__file__", None) for name in modules]
    return sorted(path for path in files if path and os.path.realpath(path).startswith(root + os.sep))


def _state_of(files: Iterable[str]) -> dict[str, tuple[int, int]]:
    states = {}
    for path in files:
        try:
            facts = os.stat(path)
            states[path] = (facts.st_mtime_ns, facts.st_size)
        except OSError:
            states[path] = (0, -1)
    return states
