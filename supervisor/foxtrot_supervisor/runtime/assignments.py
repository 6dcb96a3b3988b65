"""The connections that a cluster assigns to this supervisor: they replace the ones before, and expire."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from foxtrot_protocol.control import AssignRequest, Reply
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.schema import CONNECTIONS_MAX
from foxtrot_supervisor.core.assignment import Validity
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.reloading import Reloading
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["Assignments"]

RETRY_S = 0.25
"""Seconds until connections whose assignment has expired are stopped, where that was refused."""

VALID_S_MAX = 7 * 86_400.0
"""Longest time for which connections are assigned."""

STOP_S_MAX = 60.0
"""Longest stop that an assignment allows for."""


class Assignments:
    """Puts assignments in force, and ends them when they expire.

    Args:
        active: the configuration in force.
        records: of all children.
        reloading: replaces the configuration.
        timers: for the end of the validity.
        log: gets ``assignment_expired``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        records: Mapping[str, ChildRecord],
        reloading: Reloading,
        timers: Timers,
        log: Log,
    ) -> None:
        self._active = active
        self._records = records
        self._reloading = reloading
        self._timers = timers
        self._log = log
        self._validity: Validity | None = None
        self._ended: Validity | None = None
        """What was ended last."""

    def answer(self, request: AssignRequest) -> Reply:
        """Assign, or only renew; the answer says which workers there are."""
        if not isinstance(self._active.config.cluster, NodeCluster):
            return Reply(error="this supervisor is no node of a cluster: its connections are in its configuration")
        now, validity = time.monotonic(), Validity(request.ends_at, request.stop_s)
        if not (0 <= validity.stop_s <= STOP_S_MAX and validity.ends_at - now <= VALID_S_MAX):
            return Reply(error=f"ends_at must be at most {VALID_S_MAX:g} s ahead, stop_s 0 to {STOP_S_MAX:g} s")
        if request.connections is not None:
            refused = self._assign(request.connections if validity.holds(now) else [])
            if refused:
                return Reply(error=refused)
        self._validity = validity
        self._wait(validity.stop_at - now)
        return Reply(data={"connections": self._tables(), "workers": self._workers()})

    def _assign(self, tables: Sequence[dict[str, Any]]) -> str:
        """Return why these connections cannot be assigned, "" if they are."""
        try:
            connections = msgspec.convert(tables, list[Placed])
        except msgspec.ValidationError as error:
            return f"connections: {error}"
        names = {connection.name for connection in connections}
        if len(names) < len(connections) or len(connections) > CONNECTIONS_MAX:
            return f"connections: at most {CONNECTIONS_MAX}, each with a name of its own"
        if connections == self._active.config.connections:
            return ""
        begun = self._reloading.assign(structs.replace(self._active.config, connections=list(connections)))
        return begun if isinstance(begun, str) else ""

    def _wait(self, delay_s: float) -> None:
        self._timers.cancel("assignment")  # a later end does not put off a waiting call
        self._timers.call_later("assignment", delay_s, self._look)

    def _look(self) -> None:
        now, validity = time.monotonic(), self._validity
        if validity is None or validity == self._ended:
            return
        if validity.holds(now):
            self._wait(validity.stop_at - now)
            return
        if names := self._tables():
            self._log.error("assignment_expired", connections=names)
        # without any connection too: what an earlier assignment has left may take longer to stop than it now may
        begun = self._reloading.assign(structs.replace(self._active.config, connections=[]), kill_at=validity.kill_at)
        if isinstance(begun, str):
            self._wait(RETRY_S)
        else:
            self._ended = validity

    def _tables(self) -> list[str]:
        return [connection.name for connection in self._active.config.connections]

    def _workers(self) -> dict[str, Any]:
        """Return the living workers: also those that a former assignment has left, until they have ended."""
        return {
            name: {"incarnation": record.incarnation, "state": record.state.value, "cause": record.cause}
            for name, record in self._records.items()
            if record.plan.kind == "connection" and record.incarnation
        }
