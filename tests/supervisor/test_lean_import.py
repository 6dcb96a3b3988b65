"""Importing the package, and its public names, loads only what they need."""

from __future__ import annotations

import json
import subprocess
import sys

_LIST = """
import json, sys
import foxtrot_supervisor
def loaded():
    return sorted(name for name in sys.modules if name.startswith(("foxtrot_supervisor", "foxtrot_workers")))
first = loaded()
for name in foxtrot_supervisor.__all__:
    if name not in ("MainEngine", "SupervisedAdapter"):
        getattr(foxtrot_supervisor, name)
print(json.dumps([first, loaded(), sorted(foxtrot_supervisor.__dict__)]))
"""

NEVER = ("chaos", "bench", "benchmark", "cli", "gateways", "replay", "simulator", "testing")
"""Subpackages that no public name needs, but for the gateways themselves."""


def test_importing_the_package_loads_nothing_else_and_its_names_no_tools() -> None:
    done = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, timeout=60, check=True)
    first, with_names, public = json.loads(done.stdout)
    assert first == ["foxtrot_supervisor"]
    assert "foxtrot_supervisor.embedding.supervisor" in with_names
    assert [name for name in with_names if any(part in NEVER for part in name.split("."))] == []
    assert {"Supervisor", "EventEngine", "run_supervisor"} <= set(public)
