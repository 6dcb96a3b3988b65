"""The program's entry point. Until a command runs, Ctrl-C ends it at once and silently.

Before a command begins there is nothing to clean up, and a KeyboardInterrupt during an import would print a traceback.
So this module installs its handler before it imports anything large.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # `python -m` has put the working directory there

import _signal  # type: ignore[import-not-found]  # built in; the module `signal` is read from a file and imports enum
import os

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line; exits the process."""
    _signal.signal(_signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    import signal

    from foxtrot_supervisor.system.module_path import without_working_directory
    from foxtrot_supervisor.system.signal_state import reset_signals

    reset_signals(keep={signal.SIGHUP})  # ignored by nohup on purpose
    if not sys.flags.safe_path:
        sys.path[:] = without_working_directory(sys.path, _working_directory(), os.environ.get("PYTHONPATH", ""))
    from foxtrot_supervisor.cli.main import main as run

    run()


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


if __name__ == "__main__":
    main()
