"""Which form of the hot paths runs: compiled extension modules, or the pure Python that is their reference.

A compiled module is built from a ``.pyx`` file (setup.py) and is optional. The environment variable ``FOXTROT_FORM``
selects the form of a process and, since it is inherited, of its children:

* ``auto`` (or unset): compiled where the module is installed, pure Python otherwise
* ``pure``: pure Python; at installation, nothing is compiled
* ``compiled``: compiled; a missing module is an error
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import zlib
from pathlib import Path
from types import ModuleType

__all__ = ["FORM_VARIABLE", "MODULES", "StaleModule", "describe", "load"]

FORM_VARIABLE = "FOXTROT_FORM"
"""Name of the environment variable."""

MODULES: tuple[str, ...] = (
    "foxtrot_supervisor.engine.bus._calls",
    "foxtrot_supervisor.engine.delivery._batches",
    "foxtrot_supervisor.engine.delivery._merge",
    "foxtrot_supervisor.recording._lines",
    "foxtrot_workers.adapter._price_side",
    "foxtrot_workers.feed._record_writer",
    "foxtrot_workers.templates._matcher",
    "foxtrot_workers.websocket._burst_listener",
)
"""Names of all compiled modules."""


class StaleModule(ImportError):
    """The module was compiled from other source text than the ``.pyx`` file beside it (an editable installation)."""


def load(name: str) -> ModuleType | None:
    """Return the compiled module `name`; None where pure Python must be used.

    Raises:
        ImportError: ``FOXTROT_FORM`` is ``compiled``, and the module is missing or stale.
        ValueError: ``FOXTROT_FORM`` has an unknown value.
    """
    form = os.environ.get(FORM_VARIABLE) or "auto"
    if form == "pure":
        return None
    if form not in ("auto", "compiled"):
        raise ValueError(f"{FORM_VARIABLE}={form!r}: auto, pure or compiled was expected")
    try:
        return _import_current(name)
    except ImportError:
        if form == "compiled":
            raise
        return None


def describe() -> str:
    """Return which form is used, for people: ``compiled``, or ``pure Python`` with the reason.

    Imports nothing: not every process needs the packages of the compiled modules.
    """
    if os.environ.get(FORM_VARIABLE) == "pure":
        return f"pure Python: {FORM_VARIABLE}=pure"
    missing = [name for name in MODULES if not _is_installed(name)]
    return f"pure Python: {', '.join(missing)} not installed" if missing else "compiled"


def _is_installed(name: str) -> bool:
    """Whether a file of the extension module `name` exists, in the first place where its package is."""
    top, *folders, last = name.split(".")
    package = importlib.util.find_spec(top)
    places = [] if package is None else package.submodule_search_locations or []
    files = [last + suffix for suffix in importlib.machinery.all_suffixes()]
    return any(Path(place, *folders, file).exists() for place in places for file in files)


def _import_current(name: str) -> ModuleType:
    """Import `name`; raises ImportError where it is missing, and `StaleModule`."""
    module = importlib.import_module(name)
    source = Path(module.__file__ or "").with_name(name.rpartition(".")[2] + ".pyx")
    if source.exists() and zlib.crc32(source.read_bytes()) != module.SOURCE_CRC:
        raise StaleModule(f"{name} was not compiled from the {source.name} beside it: install again")
    return module
