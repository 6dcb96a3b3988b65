"""What a child's code may ask of the process it runs in.

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
    def zmq_context(self) -> Any:
        """The process's one ZeroMQ context; ended by the runtime after the target has returned."""

    @property
    def log(self) -> ChildLog:
        """Where this child logs."""

    def send(self, message: FromChild) -> None:
        """To the supervisor; never blocks (a full queue is counted and the message dropped)."""

    def ready(self, info: dict[str, str] | None = None) -> None:
        """Say READY, once; later calls do nothing."""

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        """Report why this child is about to exit."""

    def doing(self, what: str) -> None:
        """Note the step that others' code may hold up or end ("setting up handler 'x:setup'"); "" once it is over."""

    def crash(self, cause: str, trace: str) -> NoReturn:
        """End this process at once, from any thread; `cause` and the stack `trace` are told by the supervisor."""

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        """`handler` gets every command; `Stop` also arrives, synthesized, on SIGTERM (grace 1 s)."""

    def heartbeat_from(self, source: Callable[[Heartbeat], Heartbeat]) -> None:
        """`source` completes each heartbeat (process figures are filled in) just before it is sent."""
