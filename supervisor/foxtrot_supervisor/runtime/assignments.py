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

RETRY_S = 1.0
"""Seconds until connections whose assignment has expired are stopped, where that was refused."""


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
        self._validity = Validity()

    def answer(self, request: AssignRequest) -> Reply:
        """Assign, or only renew; the answer says which workers there are."""
        if not isinstance(self._active.config.cluster, NodeCluster):
            return Reply(error="this supervisor is no node of a cluster: its connections are in its configuration")
        if not 0 < request.valid_s <= 86_400.0 * 7:
            return Reply(error=f"valid_s must be more than 0 and at most a week, not {request.valid_s}")
        if request.connections is not None:
            refused = self._assign(request.connections)
            if refused:
                return Reply(error=refused)
        self._validity.renew(time.monotonic(), request.valid_s)
        self._wait()
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

    def _wait(self) -> None:
        self._timers.cancel("assignment")  # a later end does not put off a waiting call
        self._timers.call_later("assignment", self._validity.remaining_s(time.monotonic()), self._look)

    def _look(self) -> None:
        now = time.monotonic()
        if not self._validity.expire(now):
            self._wait()
        elif self._active.config.connections:
            self._log.error("assignment_expired", connections=[each.name for each in self._active.config.connections])
            begun = self._reloading.assign(structs.replace(self._active.config, connections=[]))
            if isinstance(begun, str):
                self._validity.renew(now, RETRY_S)
                self._wait()

    def _tables(self) -> list[str]:
        return [connection.name for connection in self._active.config.connections]

    def _workers(self) -> dict[str, Any]:
        """Return the living workers: also those that a former assignment has left, until they have ended."""
        return {
            name: {"incarnation": record.incarnation, "state": record.state.value, "cause": record.cause}
            for name, record in self._records.items()
            if record.plan.kind == "connection" and record.incarnation
        }
