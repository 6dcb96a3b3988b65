"""Nobody decides by the wall clock: a test cannot set it, so every place that reads it is listed, with its reason.

`chaos` makes the wall clock of children jump and sees that nothing happens. What the supervisor does with it is shown
here: it has no other use for it than to tell people when something was.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.support.sources import PACKAGES, source_files

WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.datetime.now", "datetime.utcnow"}

READERS = {
    # the supervisor
    "foxtrot_supervisor/runtime/run_status.py": "status: when a death was, for people",
    "foxtrot_supervisor/runtime/logs.py": "when a line was logged, for people",
    "foxtrot_supervisor/runtime/incident_watch.py": "when an incident was, for people",
    "foxtrot_supervisor/monitoring/alert_service.py": "times in alerts, and which incidents a replaced service tells",
    "foxtrot_supervisor/client/observer.py": "when a status was received, for people",
    "foxtrot_supervisor/client/kept_events.py": "the events of the last minutes, by their own times",
    "foxtrot_supervisor/cli/logs.py": "--since: times that people give",
    "foxtrot_supervisor/cli/screen/app.py": "age of the last trade, for people",
    "foxtrot_supervisor/cli/events.py": "events --live: leaves out what was published before",
    "foxtrot_supervisor/engine/delivery/accounts.py": "stamps of gaps",
    "foxtrot_supervisor/engine/delivery/apply.py": "latency of batches",
    "foxtrot_supervisor/engine/delivery/rings.py": "stamps of gaps",
    "foxtrot_supervisor/embedding/application_log.py": "when a line was logged, for people",
    "foxtrot_supervisor/engine/folds/folds.py": "stamps of ticks and bars that silence or the loss of a source ends",
    "foxtrot_supervisor/cli/markets.py": "age of a list of instruments, for people",
    "foxtrot_supervisor/config/markets.py": "age of a list of instruments: whether to ask for another one at start",
    "foxtrot_supervisor/runtime/market_refresh.py": "when a list of instruments was fetched",
    "foxtrot_supervisor/bundles/living.py": "when a bundle was made, for people",
    "foxtrot_supervisor/cli/cluster.py": "when a node was last seen, for people",
    "foxtrot_supervisor/cluster/agent.py": "which failures are too recent to hand a shard over, across machines",
    "foxtrot_supervisor/cluster/deliveries.py": "where a shard has failed too recently, across machines",
    "foxtrot_supervisor/cluster/shards.py": "when a worker has failed for good, across machines",
    "foxtrot_supervisor/cluster/membership.py": "which announcements are too old at the start; then monotonic",
    "foxtrot_supervisor/recording/recorder.py": "names and retention of segments, age of a ring that was read",
    "foxtrot_supervisor/sinks/dead_letters.py": "when a row was refused, for people",
    "foxtrot_supervisor/sinks/intake.py": "when a gap was made, for people",
    "foxtrot_supervisor/sinks/nats/sink.py": "which messages the server's own window covers, by the server's stamps",
    "foxtrot_supervisor/sinks/parquet.py": "retention by day",
    "foxtrot_supervisor/sinks/sink_process.py": "where the numbers of a new spool begin",
    # tests of others, with two clocks to compare
    "foxtrot_supervisor/chaos/campaigns/node_cuts.py": "beside the server's stamps",
    "foxtrot_supervisor/chaos/campaigns/node_kills.py": "beside the server's stamps",
    "foxtrot_supervisor/chaos/campaigns/recordings.py": "beside times of receipt",
    "foxtrot_supervisor/chaos/campaigns/scene.py": "beside the times in the supervisor's log",
    "foxtrot_supervisor/chaos/campaigns/kills.py": "beside the times in the supervisor's log",
    "foxtrot_supervisor/chaos/harness/supervised_run.py": "beside the times in the supervisor's log",
    "foxtrot_workers/chaos/boot.py": "replaces it",
    # workers
    "foxtrot_workers/feed/backfill_runner.py": "receive_ns of past trades",
    "foxtrot_workers/feed/frames_record.py": "when a frame was sent, when a session began",
    "foxtrot_workers/feed/outflow.py": "stamps of gaps",
    "foxtrot_workers/feed/symbol_check.py": "when an answer that is recorded came",
    "foxtrot_workers/feed/adapter_rest.py": "receive_ns of events from REST answers",
    "foxtrot_workers/feed/pipeline.py": "receive_ns of events; ages are held to the monotonic clock (topics)",
    "foxtrot_workers/feed/worker.py": "receive_ns of events; ages are held to the monotonic clock (topics)",
    "foxtrot_workers/feed/event_sender.py": "publish_ns of batches",
    "foxtrot_workers/websocket/picows_client.py": "Retry-After may be a date",
    "foxtrot_workers/websocket/websockets_client.py": "Retry-After may be a date",
    "foxtrot_workers/child/log.py": "when a line was logged, for people",
    "foxtrot_workers/feed/system_requests.py": "offset to the exchange's clock",
    "foxtrot_workers/feed/rest.py": "Retry-After may be a date",
    "foxtrot_workers/feed/access.py": "Retry-After may be a date",
}

WHOLE_FOLDERS = ("foxtrot_workers/simulator/", "foxtrot_workers/benchmark/")
"""An exchange has a wall clock, and so has a stopwatch between processes; neither supervises."""


def dotted(node: ast.expr) -> str | None:
    """Return ``a.b.c`` of a chain of attributes of a name; None for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)) is not None:
        return f"{owner}.{node.attr}"
    return None


@cache
def syntax_trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in source_files()}


def names_in(tree: ast.Module) -> set[str | None]:
    return {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_every_reader_of_the_wall_clock_is_known() -> None:
    found = set()
    for path, tree in syntax_trees().items():
        folder = next(folder for folder in PACKAGES.values() if path.is_relative_to(folder))
        if names_in(tree) & WALL_CLOCK:
            found.add(str(path.relative_to(folder)))
    assert {name for name in found if not name.startswith(WHOLE_FOLDERS)} == set(READERS)


def test_nobody_imports_a_clock_by_another_name() -> None:
    renamed = [
        f"{path.name}: {ast.unparse(node)}"
        for path, tree in syntax_trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
    ]
    assert renamed == []
