"""Inherited dispositions and mask are reset; in a separate process, since they belong to the whole process."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import signal
from foxtrot_supervisor.system.signal_state import reset_signals
for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
reset_signals(keep={signal.SIGHUP})
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
signal.signal(signal.SIGTERM, print)
reset_signals()
assert signal.getsignal(signal.SIGTERM) == print, "what this process has set itself stays"
"""


def test_inherited_dispositions_are_reset_except_kept_ones() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
