"""What is hidden from an import, and only from that."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from foxtrot_protocol.lean_import import without


def test_a_hidden_module_cannot_be_imported_and_then_it_can() -> None:
    code = """
from foxtrot_protocol.lean_import import without
try:
    with without("colorsys"):
        import colorsys
except ImportError:
    import colorsys
else:
    raise SystemExit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_is_loaded_already_stays() -> None:
    before = json
    with without("json"):
        import json as again
    assert again is before


@pytest.mark.parametrize("module", ["foxtrot_workers.child.main", "foxtrot_supervisor.runtime.runner"])
def test_no_process_of_a_run_loads_what_only_colours_tracebacks(module: str) -> None:
    code = f"import sys, {module}; loaded = 'rich' in sys.modules; import rich; sys.exit(loaded)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_table_of_modules_is_as_before_also_after_a_failure() -> None:
    with pytest.raises(ImportError), without("colorsys_of_another_kind"):
        __import__("colorsys_of_another_kind")
    assert "colorsys_of_another_kind" not in sys.modules
