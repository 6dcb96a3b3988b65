"""Interface between a child's code and the process that it runs in.

`foxtrot_workers.child.boot` provides it; feeds, the engine and the simulated exchange are written against this
protocol, so that neither package imports the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from foxtrot_protocol.commands import FromChild, Heartbeat, ToChild
from foxtrot_protocol.spec import ChildSpec

__all__ = ["ChildContext", "ChildLog"]


class ChildLog(Protocol):
    """A structured logger: an event and its fields."""

    def debug(self, event: str, /, **fields: Any) -> Any: ...
    def info(self, event: str, /, **fields: Any) -> Any: ...
    def warning(self, event: str, /, **fields: Any) -> Any: ...
    def error(self, event: str, /, **fields: Any) -> Any: ...


class ChildContext(Protocol):
    """The running child, seen from its start target ``async def run(context) -> int`` (an exit code)."""

    @property
    def spec(self) -> ChildSpec:
        """What this child was started with."""

    @property
    def log(self) -> ChildLog:
        """Where this child logs."""

    def send(self, message: FromChild) -> None:
        """Send to the supervisor; never blocks: with a full queue the message is dropped and counted."""

    def ready(self, info: dict[str, str] | None = None) -> None:
        """Send READY; later calls do nothing."""

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        """Report why this child is about to exit."""

    def doing(self, what: str) -> None:
        """Record the step in progress that runs a user's code ("setting up handler 'x:setup'"); "" when it is over."""

    def crash(self, cause: str, trace: str) -> NoReturn:
        """End this process at once, from any thread; the supervisor reports `cause` and the stack `trace`."""

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        """Have `handler` called with every command; SIGTERM also arrives as a `Stop` (grace 1 s)."""

    def heartbeat_from(self, source: Callable[[Heartbeat], Heartbeat]) -> None:
        """Have `source` complete each heartbeat, which has the process's figures, just before it is sent."""
