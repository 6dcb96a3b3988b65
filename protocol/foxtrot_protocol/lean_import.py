"""Import libraries without their optional dependencies.

``structlog`` imports ``rich`` for coloured tracebacks if it is installed: two thirds of its import time and 5 MiB in
every process of a run, for output that none of them produces. ``multiprocess`` imports ``dill``, 1.5 MiB, for
arguments that ``pickle`` cannot write; ours are texts and bytes. Only the table of modules is changed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

__all__ = ["without"]


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Inside, modules of these names cannot be imported, unless they are loaded already; afterwards they can."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
