"""Recovery after a killed supervisor: kills its processes, removes its files, reports its unhandled events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from foxtrot_supervisor.report.unhandled_events import UnhandledRing, unhandled_in
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.survivors import end_survivors
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.sink_directories import linked_rings, remove_left, remove_links, set_aside
from foxtrot_supervisor.telemetry.ring_figures import scan_rings

__all__ = ["keep_for_sinks", "log_rings", "log_unhandled_events", "recover"]


def recover(run_dir: RunDir, log: Log) -> None:
    """Clean up `run_dir`. Blocks until the processes are gone, for `survivors.SURVIVOR_WAIT_S` at most."""
    predecessor = run_dir.predecessor
    ended = end_survivors(predecessor.run_id, predecessor.start_ticks) if predecessor is not None else []
    log_unhandled_events(run_dir.path, "of a killed supervisor", log)
    removed = run_dir.remove_files()
    if predecessor is not None:
        log.warning("recovered", pid=predecessor.pid, ended=ended, removed=removed)


def keep_for_sinks(run_dir: RunDir, sinks: Collection[str], log: Log) -> None:
    """Set aside what a killed run has left for `sinks` to read; remove and log what no sink can read."""
    path, predecessor = run_dir.path, run_dir.predecessor
    for sink, rings in linked_rings(path).items():
        if predecessor is not None and sink in sinks and set_aside(path, sink, predecessor.run_id):
            log.warning("sink_rings_kept", sink=sink, rings=rings, when="of a killed supervisor")
        else:
            log.error("sink_rings_left", sink=sink, rings=rings, when="of a killed supervisor")
    for sink in remove_left(path, sinks):
        log.error("sink_rings_left", sink=sink, reason="the sink is no longer configured")
    remove_links(path)


def log_unhandled_events(
    path: str, when: str, log: Log, started: Mapping[str, int] | None = None
) -> list[UnhandledRing]:
    """Log and return the rings of a run directory that hold unhandled events: the rings end with the run.

    `started`: latest incarnation by worker; rings of other workers do not count. None: all count.
    """
    return log_rings(unhandled_in(*scan_rings(path), started), when, log)


def log_rings(rings: Iterable[UnhandledRing], when: str, log: Log) -> list[UnhandledRing]:
    """Log each of `rings`, and return them as a list."""
    rings = list(rings)
    for ring in rings:
        events = "unknown: the ring is damaged" if ring.events is None else ring.events
        log.error("events_left", worker=ring.worker, incarnation=ring.incarnation, events=events, when=when)
    return rings
