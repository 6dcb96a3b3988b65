"""The agent's way to the supervisor of its node: which connections it is to run, and which workers it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from foxtrot_protocol.control import AssignRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted
from foxtrot_supervisor.cluster.lease import HeldShard

__all__ = ["OwnSupervisor", "table_of"]

ANSWER_S: Final = 5.0
"""Longest wait, in seconds, for an answer of the supervisor."""


def table_of(held: HeldShard) -> dict[str, Any]:
    """Return the connection table of a shard for the node that holds it."""
    return {
        **held.desired.table,
        "name": held.local_name,
        "redundancy": 1,  # its other side is another shard
        "merged_as": held.desired.connection,
        "part": held.part,
    }


class OwnSupervisor:
    """Assigns connections to the supervisor of one run directory."""

    def __init__(self, run_dir: str) -> None:
        self._client = AsyncControlClient(run_dir)
        self._assigned: list[dict[str, Any]] | None = None
        self.refusal = ""
        """Why the latest assignment was refused, "" if it was not."""

    async def assign(self, shards: Mapping[str, HeldShard], ends_at: float, stop_s: float) -> dict[str, Any]:
        """Have exactly these shards run; return the workers by name, {} without an answer.

        `ends_at`: when no process of theirs may be left, monotonic; `stop_s`: so long before that their stop begins.
        """
        tables = [table_of(held) for _, held in sorted(shards.items())]
        answer = await self._ask(AssignRequest(ends_at, stop_s, None if tables == self._assigned else tables))
        if answer is None:
            self._assigned = None
            return {}
        # the supervisor has ended what expired meanwhile: it is assigned again
        self._assigned = tables if set(answer["connections"]) == {table["name"] for table in tables} else None
        workers: dict[str, Any] = answer["workers"]
        return workers

    async def assigned(self, ends_at: float, stop_s: float) -> list[str]:
        """Return the names of the connections that a former agent has assigned; they run on as in `assign`."""
        answer = await self._ask(AssignRequest(ends_at, stop_s))
        return [] if answer is None else list(answer["connections"])

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    async def _ask(self, request: AssignRequest) -> dict[str, Any] | None:
        try:
            reply = await self._client.request(request, ANSWER_S)
        except (TimeoutError, NotRunning, NotTrusted, MalformedMessage) as error:
            self.refusal = str(error) or "the supervisor does not answer"
            return None
        self.refusal = reply.error
        return None if reply.error else reply.data
