"""Optional dependencies of libraries that a process does not need: as if they were not installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

__all__ = ["unimportable"]


class _Refusal:
    """A finder that refuses one package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for the package; leave the others to the next finder."""
        if name == self._package:
            raise ModuleNotFoundError(f"{name} is not used in this process", name=name)


@contextlib.contextmanager
def unimportable(package: str) -> Iterator[None]:
    """Let imports of `package` fail in this process meanwhile, in all threads; one that is loaded already stays."""
    refusal = _Refusal(package)
    sys.meta_path.insert(0, refusal)
    try:
        yield
    finally:
        sys.meta_path.remove(refusal)
