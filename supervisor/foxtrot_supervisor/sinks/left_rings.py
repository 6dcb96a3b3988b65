"""Reads into the spool what killed runs have left in rings, before a sink begins with those of its own run."""

from __future__ import annotations

import os
import shutil
import time
from typing import Final

from foxtrot_protocol import ring_layout
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.endpoints import parse_left_name
from foxtrot_supervisor.sinks.intake import Intake, StopTimes
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter

__all__ = ["READ_S", "read_left_rings"]

READ_S: Final = 10.0
"""Longest time for it, in seconds: what is not read by then, or finds no room, is left out and named by gaps."""


def read_left_rings(directory: str, spool: Spool, run_id: str, log: ChildLog) -> None:
    """Read and remove the rings that are set aside in `directory`. Blocks; raises OSError or `MalformedMessage`.

    `run_id`: of the present run.
    """
    deadline = time.monotonic() + READ_S
    for name in sorted(os.listdir(directory)):
        left = parse_left_name(name)
        if left is not None:
            folder = os.path.join(directory, name)
            if _run_of(spool) != run_id:  # else it was read before, and its folder could not be removed
                _read(folder, left[1], spool, log, deadline)
            shutil.rmtree(folder, ignore_errors=True)


def _run_of(spool: Spool) -> str:
    writer = SpoolWriter(spool)
    writer.close()
    return writer.run_id


def _read(folder: str, run_id: str, spool: Spool, log: ChildLog, deadline: float) -> None:
    latest: dict[str, int] = {}
    for name in os.listdir(folder):
        ring = ring_layout.parse_ring_name(name)
        if ring is not None:
            latest[ring[0]] = max(ring[1], latest.get(ring[0], 0))
    if not latest:
        return
    before = spool.last_row
    intake = Intake(folder, run_id, spool, log)
    intake.started.add(latest)
    for worker, incarnation in latest.items():
        intake.fence(worker, incarnation)
    times = StopTimes(time.monotonic(), deadline)
    intake.run(lambda: None, lambda: times)
    intake.close()
    log.info("sink_rings_read", workers=len(latest), rows=spool.last_row - before)
