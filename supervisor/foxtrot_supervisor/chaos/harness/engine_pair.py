"""Two hosts of one engine of a cluster: one has it, the other waits; each kill makes them change."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from foxtrot_protocol.control import StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.chaos.harness.cluster_ground import ClusterGround, Host
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

__all__ = ["EnginePair", "status_of"]

TAKEN_S: Final = 60.0
"""Longest wait for a host that takes the engine; TAKEOVER_S of it is the other's silence."""

ANSWER_S: Final = 10.0

LOOK_S: Final = 0.05


def status_of(host: Host) -> dict[str, Any]:
    """Return the status of the run on a host; raises `Trouble`."""
    try:
        with ControlClient(str(host.run_dir)) as client:
            return client.request(StatusRequest(fresh=True), ANSWER_S).data
    except (NotRunning, MalformedMessage, OSError) as error:
        raise Trouble(f"{host.name} does not answer: {error}") from None


class EnginePair:
    """An engine with or without a second host that waits."""

    def __init__(self, ground: ClusterGround, config: Path, *, standby: bool, patience: float = 1.0) -> None:
        """Start its hosts. Raises `Trouble`."""
        self._patience = patience
        self.active = ground.engine("engine-1", config=config)
        self._events = 0
        self._waiting: Host | None = None
        if standby:
            self._wait(lambda: bool(self.active.logged("engine_taken")), "the engine to be taken")
            self._waiting = ground.engine("engine-2", config=config)

    @property
    def events_total(self) -> int:
        """Events that handlers were given so far. Raises `Trouble`."""
        return self._events + int(status_of(self.active)["engine"]["events_total"])

    def kill(self) -> float:
        """Kill the host that has the engine and start it again; returns the seconds until the other one has it."""
        killed, other = self.active, self._waiting
        assert other is not None
        self._wait(lambda: _is_waiting(other), f"{other.name} to wait for the engine")
        self._events = self.events_total
        before = len(other.logged("engine_taken"))
        began = time.monotonic()
        killed.kill()
        self._wait(lambda: len(other.logged("engine_taken")) > before, f"{other.name} to take the engine")
        took = time.monotonic() - began
        self.active, self._waiting = other, killed
        killed.start()
        return took

    def stop_waiting(self) -> None:
        """Stop the host that waits. Raises `Trouble`."""
        waiting = self._waiting
        if waiting is not None:
            self._wait(lambda: _is_waiting(waiting), f"{waiting.name} to wait for the engine")
            if waiting.stop() != 0:
                raise Trouble(f"{waiting.name} did not end in order: {waiting.log}")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + TAKEN_S * self._patience
        while not condition():
            if time.monotonic() >= deadline:
                raise Trouble(f"waited in vain for {what}")
            time.sleep(LOOK_S)


def _is_waiting(host: Host) -> bool:
    try:
        return b"standby: " in msgspec.json.encode(status_of(host))
    except Trouble:
        return False
