"""What a spawned process runs first: the start target, named by text, called with the specification.

Imports next to nothing, so that the target decides what loads and in which order. The supervisor starts
children with SIGINT blocked: between exec and the child's own session a terminal's Ctrl-C would still
reach it and kill it half-imported. Ignoring SIGINT before unblocking discards one that came meanwhile.
"""

from __future__ import annotations

import importlib
import signal
import sys

from foxtrot_supervisor.system.signal_state import reset_signals

__all__ = ["launch"]


def launch(target: str, spec: bytes) -> None:
    """Call ``package.module:function`` with `spec`; raises ImportError or AttributeError if there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reset_signals(keep={signal.SIGINT})
    # it was imported without dill (`spawn`): what a user's code imports here later has all that it should have
    for name in [name for name in sys.modules if name.partition(".")[0] == "multiprocess"]:
        del sys.modules[name]
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(spec)
