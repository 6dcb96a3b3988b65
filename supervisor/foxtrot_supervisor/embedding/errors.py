"""Exceptions for applications that use the supervisor as a library.

::

    EmbeddingError
    ├── SupervisorFailed    the supervisor could not be started, or died too often
    ├── NotReady            not everything serves within the time limit, or it never will
    └── RequestFailed       the supervisor refused a request, or could not fulfil it

In addition, `start` raises `run_dir.AlreadyRunning` and `RunDirRefused` (another run directory is needed),
`ConfigInvalid` (every mistake in the configuration) and `HandlerProblem`.
"""

from __future__ import annotations

__all__ = ["EmbeddingError", "NotReady", "RequestFailed", "SupervisorFailed"]


class EmbeddingError(Exception):
    """Base class; the text says what to do."""


class SupervisorFailed(EmbeddingError):
    """The supervisor could not be started, or died too often and is not restarted."""


class NotReady(EmbeddingError):
    """Not everything serves; the text names what does not, and why."""


class RequestFailed(EmbeddingError):
    """The supervisor refused a request or could not fulfil it; the text is its answer."""
