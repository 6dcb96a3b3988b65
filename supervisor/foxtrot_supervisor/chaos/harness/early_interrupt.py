"""A program that runs a command and is interrupted soon after the command's first import."""

from __future__ import annotations

from typing import Final

__all__ = ["INTERRUPTED"]

INTERRUPTED: Final = """
import os, signal, sys, threading, time
def interrupt():
    time.sleep(float(sys.argv.pop()))
    os.kill(os.getpid(), signal.SIGINT)
delay = threading.Thread(target=interrupt, daemon=True)
from foxtrot_supervisor.__main__ import main
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
delay.start()
main()
"""
"""Arguments: those of the command, then the delay in seconds.

Before that import Python itself would show a traceback.
"""
