"""What runs first in a spawned process."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CODE = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
os.kill(os.getpid(), signal.SIGINT)   # a Ctrl-C that came during the start
before = set(sys.modules)
from foxtrot_supervisor.runtime.processes.launch import launch
import types
module = types.ModuleType("made_up")
module.run = lambda spec: print(spec.decode(), signal.getsignal(signal.SIGINT) == signal.SIG_IGN, flush=True)
sys.modules["made_up"] = module
launch("made_up:run", b"spec")
heavy = {"zmq", "asyncio", "structlog", "click", "foxtrot_supervisor.runtime.runner"}
print(sorted(heavy & (set(sys.modules) - before)))
"""


def test_target_is_called_with_the_specification_and_an_early_interrupt_is_lost() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=20, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["spec True", "[]"]  # and nothing heavy was loaded


@pytest.mark.parametrize(("target", "error"), [("no_such_module:f", "ImportError"), ("os:no_such", "AttributeError")])
def test_unusable_targets(target: str, error: str) -> None:
    # in a process of its own: it changes how multiprocess pickles, for whatever runs afterwards
    code = f"""
from foxtrot_supervisor.runtime.processes.launch import launch
try:
    launch({target!r}, b"")
except {error} as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("refused:")
