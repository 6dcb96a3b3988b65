"""Reset of the signal dispositions and the signal mask that a process inherits from its parent.

With an inherited SIGCHLD that is ignored no exit code could be read; a blocked SIGTERM would have no effect. Standard
library only.
"""

from __future__ import annotations

import signal
from collections.abc import Collection

__all__ = ["reset_signals"]

_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


def reset_signals(keep: Collection[int] = ()) -> None:
    """Unblock all signals; give those that are ignored their default action. Main thread only.

    `keep`: signals whose disposition stays as it was found. SIGPIPE and SIGXFSZ stay as Python has set them.
    """
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON - set(keep):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
