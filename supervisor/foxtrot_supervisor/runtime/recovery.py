"""What a supervisor that was killed left behind: its processes are ended, its files removed, its events told of."""

from __future__ import annotations

from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.survivors import end_survivors
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.telemetry.ring_figures import read_figures

__all__ = ["recover", "tell_what_is_left_in_rings"]


def recover(run_dir: RunDir, log: Log) -> None:
    """Make `run_dir` as good as new. Blocks until the processes are gone, `process.SURVIVOR_WAIT_S` at most."""
    predecessor = run_dir.predecessor
    ended = end_survivors(predecessor.run_id, predecessor.start_ticks) if predecessor is not None else []
    tell_what_is_left_in_rings(run_dir.path, "of a killed supervisor", log)
    removed = run_dir.remove_files()
    if predecessor is not None:
        log.warning("recovered", dead_supervisor=predecessor.pid, ended=ended, removed=removed)


def tell_what_is_left_in_rings(path: str, when: str, log: Log) -> None:
    """The rings go with the run: what no engine has taken out of them is lost, not silently."""
    for ring in read_figures(path):
        events = ring.committed_events - ring.applied_events - ring.deduplicated_events - ring.lost_events
        if events > 0:
            log.error("events_left", worker=ring.worker, incarnation=ring.incarnation, events=events, when=when)
