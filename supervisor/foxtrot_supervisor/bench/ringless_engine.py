"""The engine without the check against rings, to measure what rings cost. A start target for `bench` alone."""

from __future__ import annotations

from foxtrot_protocol.child import ChildContext
from foxtrot_supervisor.engine import process

__all__ = ["run"]


async def run(context: ChildContext) -> int:
    """Start target: the engine process, taking batches of workers without a ring."""
    return await process.run(context, ringless=True)
