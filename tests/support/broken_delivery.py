"""Engines in which one layer of delivery is missing: tests must notice each.

    python -m tests.support.broken_delivery LAYER chaos --kills 5 …

is the command line with such an engine, in all supervisors that it starts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_supervisor.chaos.harness import supervised_run
from foxtrot_supervisor.cli import main as cli
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.child_specs import ChildSpecs, Surroundings
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.engine import process as engine_process
from foxtrot_supervisor.engine.delivery.apply import BatchApplier
from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.runtime import runner

__all__ = ["early_tail", "without_deduplication", "without_fence", "without_positions", "without_ring"]


async def without_ring(context: ChildContext) -> int:
    """Never reads a ring: only what ZeroMQ brings is applied."""
    RingReader.next = lambda self: None  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def early_tail(context: ChildContext) -> int:
    """Acknowledges a batch before the handlers have had it."""
    apply = BatchApplier.apply

    def acknowledge_first(
        self: Any, source: Any, ring: Any, batch: Any, made: Any, data: bytes, end: int, *, may_wait: bool
    ) -> bool:
        ring.reader.acknowledge(batch.sequence, end, ring.applied + len(batch.events), ring.lost, ring.redelivered)
        return apply(self, source, ring, batch, made, data, end, may_wait=may_wait)

    BatchApplier.apply = acknowledge_first  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def without_deduplication(context: ChildContext) -> int:
    """Takes every event for a new one."""

    def everything(
        self: Any,
        side: Any,
        events: Sequence[Any],
        *,
        may_wait: bool,
        **_: Any,
    ) -> Admission:
        return Admission(events, None, len(events), 0, 0, [])

    StreamMerge.admit = everything  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def without_fence(context: ChildContext) -> int:
    """Is never told that a worker is dead."""
    EventReceiver.fence = lambda *_: None  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def without_positions(context: ChildContext) -> int:
    """Keeps nothing of what handlers have had beyond its own life."""
    PositionFile.save = lambda *_: None  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


def main(layer: str, *words: str) -> None:
    """The command line; `words` are its arguments."""

    def broken_specs(config: FoxtrotConfig, around: Surroundings, targets: Targets) -> ChildSpecs:
        return ChildSpecs(config, around, msgspec.structs.replace(targets, engine=f"{__spec__.name}:{layer}"))

    runner.ChildSpecs = broken_specs  # type: ignore[assignment, misc]  # broken on purpose
    supervised_run.PROGRAM[:] = [sys.executable, "-m", __spec__.name, layer]
    sys.argv[1:] = words
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
