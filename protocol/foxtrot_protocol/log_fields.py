"""Every key of a log line and its meaning: the same fact has the same key in each process. Pure.

`tests/protocol/test_log_fields.py` holds all log calls to it, and `scripts/draw_log_fields.py` writes it into
docs/operating.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["LOG_FIELDS", "log_schema"]

LOG_FIELDS: Final[Mapping[str, str]] = {
    # who, and about what
    "process": "who wrote the line: `supervisor`, `engine`, a worker, …",
    "worker": "the child that the line is about",
    "incarnation": "of that child",
    "connection": "of that worker; or what the line is about, if that is no single worker",
    "exchange": "of that worker, as in the configuration",
    "shard": "the shard that is split",
    "into": "the shards that take its symbols",
    "topic": "subscription",
    "symbol": "as the exchange writes it",
    "symbols": "several, separated by commas",
    "stream": "event type of a stream",
    "ring": "name of a ring's file",
    "handler": "user's function",
    "callback": "user's function that is called for a change",
    "owner": "owner of handlers",
    "type": "event type",
    "address": "host and port of an exchange",
    "rest_path": "path and query of a REST request",
    "path": "file or directory",
    "run_dir": "run directory",
    "pid": "process id of the process in question",
    "stray": "name of a process that a child left behind",
    "command": "command line of that process",
    "target": "start target of a child",
    "template": "kind of frames",
    "watch": "what was watched",
    # why
    "cause": "why a process or a connection ended, as in `status`",
    "reason": "why something was refused, failed or was done",
    "trace": "Python traceback of an error",
    "stack": "stack of one thread",
    "stacks": "stacks of all threads of a child",
    "sample": "a part of what was received",
    # what happened
    "state": "new state",
    "rung": "of the stop ladder",
    "exit_code": "of a process",
    "signal": "that was received, or that ended a process",
    "verdict": "of a watch over growth",
    "what": "what grows",
    "value": "its present amount",
    "per_hour": "its growth in an hour",
    "span_s": "seconds over which that was seen",
    "detail": "what the growing things are, or what holds an object",
    "servers": "addresses of the NATS servers of a cluster",
    "host": "machine that had an engine of a cluster before",
    "engine": "name of an engine of a cluster",
    "consumer": "name of its consumer in NATS",
    "position": "in the stream of events, up to which an engine has handled everything",
    "redelivered_to": "in the stream of events, up to which events are marked `redelivered`",
    "refused_total": "publications that NATS has refused",
    "made_total": "times that a consumer was made",
    "http_status": "status of an HTTP answer; 0: none came",
    "kind": "kind of requests: `connect` or `rest`",
    "version": "of the program",
    "children": "names of children; in an audit: processes that were left",
    "missing": "files that are gone",
    "kept": "what is done about a file that is gone",
    "when": "which run left something",
    # changes
    "added": "names of children that a reload starts",
    "removed": "names of children that a reload stops; files that were removed",
    "restarted": "names of children that a reload replaces",
    "ended": "process ids that were ended",
    "failed": "reasons by name",
    # numbers
    "attempt": "number of the attempt, from 1",
    "count": "how many of what the event names",
    "of": "event that was held back",
    "held_back": "lines with this event and worker that were not written since the last one",
    "errors": "errors in a row",
    "in_row": "errors in a row after which a handler is suspended",
    "handlers": "number of handlers",
    "topics": "number of subscriptions",
    "streams": "number of streams",
    "streams_max": "limit of streams",
    "events": "number of events",
    "left": "events that were not handled",
    "left_by_class": "the same by class of the queue",
    "sequence": "number of a batch",
    "first": "number of the first batch",
    "last": "number of the last batch",
    "first_id": "first identifier that is missing",
    "last_id": "last identifier that is missing",
    "committed": "events that the worker committed",
    "applied": "events that handlers have had",
    "deduplicated": "events dropped as copies",
    "superseded": "book updates that the next snapshot contains",
    "lost": "events that were lost, and announced",
    "frames": "frames that are not recorded, and announced; null: an unknown number",
    "lost_bytes": "size of what was lost",
    "size_bytes": "size of what was received or written",
    "ring_used_bytes": "bytes in the ring that no engine has acknowledged",
    "rejected_total": "rejected so far by this incarnation",
    "switched_off_total": "templates switched off so far",
    "template_events": "events that a template made",
    "python_events": "events that the adapter made from the same frame",
    "offset_ms": "milliseconds that this machine's clock is ahead of the exchange's",
    "late_ms": "how late the event loop was",
    "late_total": "how often it has been late",
    "done": "of a long work, what is done",
    "total": "of a long work, all there is to do",
    "elapsed_s": "seconds since a long work began",
    "within_s": "seconds that a start took",
    "remaining_s": "estimated seconds until a start is complete",
    "serving": "workers that are RUNNING",
    "wait_s": "seconds to wait",
    "waited_s": "seconds waited",
    "retry": "whether another attempt may help",
    "retry_after_s": "seconds until the next attempt",
    # the end of a run
    "rungs": "rung by child",
    "audit": "what the audit found, as in `stop --json`",
    "clean": "whether nothing was left behind",
    "threads": "threads that were left",
    "tasks": "tasks that were left",
    "descriptors": "descriptors that were left",
    "files": "files that were left",
    "garbage": "objects that could not be freed",
    "unhandled": "rings with events that no handler was given",
    # the summary of `start`
    "events_total": "events so far",
    "events_per_s": "events in a second",
    "workers": "number of workers",
    "workers_running": "of these, how many serve",
    "restarts_total": "restarts so far",
    "gaps_total": "gaps so far",
    "lost_total": "events lost so far",
    "line": "an event, in short",
}
"""Key and meaning. Before you add a key, look whether the fact has one already."""


def log_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a line of ``logs --json``, and of the log in the format "json"."""
    head: dict[str, Any] = {
        "seq": {
            "description": "its number in the supervisor's memory, from 1; not on stderr",
            "type": "integer",
        },
        "timestamp": {"description": "ISO 8601 with microseconds, UTC", "type": "string", "format": "date-time"},
        "level": {"description": "how bad", "enum": ["debug", "info", "warning", "error"]},
        "event": {"description": "what happened", "type": "string"},
    }
    kinds = {key: {"type": "string"} for key in ("process", "worker", "connection", "exchange")}
    kinds["incarnation"] = {"type": "integer"}
    fields = {key: {"description": meaning, **kinds.get(key, {})} for key, meaning in LOG_FIELDS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "foxtrot-supervisor logs --json: one line",
        "type": "object",
        "required": ["timestamp", "level", "event", "process"],
        "properties": {**head, **fields},
        "additionalProperties": False,
    }
