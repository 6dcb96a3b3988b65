"""What can go wrong for an application that uses the supervisor as a library.

::

    EmbeddingError
    ├── SupervisorFailed    it could not be started, or died too often
    ├── NotReady            it does not serve within the time given, or will never
    └── RequestFailed       it refused what was asked of it, or could not do it

Beside these `start` raises `run_dir.AlreadyRunning` and `RunDirRefused` (another run directory is needed),
`config.ConfigInvalid` (every mistake in the configuration) and `engine_process.HandlerProblem`.
"""

from __future__ import annotations

__all__ = ["EmbeddingError", "NotReady", "RequestFailed", "SupervisorFailed"]


class EmbeddingError(Exception):
    """Root of what library use raises; the text says what to do."""


class SupervisorFailed(EmbeddingError):
    """The supervisor could not be started, or died too often and was given up."""


class NotReady(EmbeddingError):
    """Not everything serves; the text says what does not, and why."""


class RequestFailed(EmbeddingError):
    """The supervisor refused a request or could not do it; the text is its answer."""
