"""Metrics: the mapping from `status` to samples. Each metric is declared once, here. Pure.

docs/metrics.md is generated from `METRICS` (`scripts/draw_metrics.py`). Names are stable: a change of one breaks
dashboards and rules. Units are those of Prometheus (seconds, bytes); counters end in ``_total``.

Label values come from the configuration and from exchanges. Of one metric at most `SERIES_MAX` samples are given, and
label values are cut; what is left out is counted in ``foxtrot_metrics_series_omitted``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from foxtrot_supervisor.report.metric_readers import (
    BACKFILL,
    BUDGET,
    CHILD,
    ENGINE,
    HANDLER,
    INCIDENTS,
    MARKET,
    PROCESS,
    REMOTE_WORKER,
    SUPERVISOR,
    WORKER,
    Item,
    Metric,
    Sample,
    Section,
    StatusMetric,
    build,
    connections_flowing,
    field,
    growing,
    incidents,
    last_exits,
    latency,
    phase,
    process_is,
    remote_connections_flowing,
    remote_latency,
    remote_serving,
    remote_states,
    service_counts,
    service_figures,
    service_problems,
    states,
    topics,
)

__all__ = ["EXCLUDED", "LABEL_CHARS_MAX", "METRICS", "OMITTED", "OWN", "SERIES_MAX", "Family", "families"]

SERIES_MAX: Final = 4000
"""Samples of one metric in one answer."""

LABEL_CHARS_MAX: Final = 120
"""Characters of a label's value."""


class Family(Struct, frozen=True):
    """A metric with its samples."""

    metric: Metric
    samples: list[Sample]


def _engine_counts(section: Section, prefix: str) -> list[StatusMetric]:
    """What the engine counts of a worker, wherever that runs."""
    counts = (
        ("events_applied_total", "Events given to handlers.", "applied_total"),
        ("events_deduplicated_total", "Events dropped as copies of those of another worker.", "deduplicated_total"),
        (
            "events_superseded_total",
            "Updates of books left out, because the next snapshot contains them.",
            "superseded_total",
        ),
        ("events_lost_total", "Events announced as lost.", "lost_total"),
        ("batches_lost_total", "Batches announced as lost whose number of events is unknown.", "lost_batches_total"),
        ("events_late_total", "Events that arrived again by another path.", "late_total"),
        (
            "events_won_total",
            "Events that this worker brought before the other one of its connection.",
            "wins_total",
        ),
        ("gaps_total", "Gaps announced to handlers.", "gaps_total"),
        (
            "streams_demoted_total",
            "Streams whose identifiers leap, so that their holes are no longer announced.",
            "demoted_total",
        ),
    )
    return [field(section, f"{prefix}_{name}", "counter", text, key) for name, text, key in counts]


METRICS: Final[tuple[StatusMetric, ...]] = (
    StatusMetric(
        name="foxtrot_build_info",
        type="info",
        help="Version, and form of the hot paths.",
        labels=("version", "form"),
        source="supervisor.version, supervisor.form",
        read=build,
    ),
    StatusMetric(
        name="foxtrot_supervisor_state",
        type="gauge",
        help="1 for the state of the whole, 0 for the others.",
        labels=("state",),
        source="supervisor.state",
        read=phase,
    ),
    field(SUPERVISOR, "foxtrot_supervisor_uptime_seconds", "gauge", "Time since the start of the run.", "uptime_s"),
    field(
        SUPERVISOR,
        "foxtrot_strays_killed_total",
        "counter",
        "Processes that children left behind and that were killed.",
        "strays_killed_total",
    ),
    field(
        SUPERVISOR,
        "foxtrot_messages_rejected_total",
        "counter",
        "Control messages from senders that are not supervised children.",
        "rejected_messages_total",
    ),
    field(
        SUPERVISOR,
        "foxtrot_log_lines_dropped_total",
        "counter",
        "Lines of the supervisor's own log that could not be written.",
        "log_dropped_total",
    ),
    field(
        SUPERVISOR,
        "foxtrot_supervisor_loop_lag_max_seconds",
        "gauge",
        "Longest lateness of the control loop.",
        "loop_lag_max_ms",
        divisor=1e3,
    ),
    field(
        SUPERVISOR,
        "foxtrot_supervisor_loop_late_total",
        "counter",
        "Turns of the control loop that were late.",
        "loop_late_total",
    ),
    # ---- processes
    StatusMetric(
        name="foxtrot_processes",
        type="gauge",
        help="Child processes by kind and state.",
        labels=("kind", "state"),
        source="*.state",
        read=states,
    ),
    field(PROCESS, "foxtrot_process_resident_memory_bytes", "gauge", "Resident memory.", "rss_bytes"),
    field(PROCESS, "foxtrot_process_open_fds", "gauge", "Open file descriptors.", "open_fds"),
    field(PROCESS, "foxtrot_process_threads", "gauge", "Threads.", "threads"),
    field(PROCESS, "foxtrot_process_tasks", "gauge", "asyncio tasks.", "tasks"),
    field(
        PROCESS,
        "foxtrot_process_loop_lag_seconds",
        "gauge",
        "How late the event loop ran at the latest heartbeat.",
        "loop_lag_ms",
        divisor=1e3,
    ),
    StatusMetric(
        name="foxtrot_process_growing",
        type="gauge",
        help="1 if a figure of the process grows or is over its limit.",
        labels=("process", "kind", "figure"),
        source="*.growth",
        read=growing,
    ),
    StatusMetric(
        name="foxtrot_process_running",
        type="gauge",
        help="1 if the process serves (RUNNING).",
        labels=("process", "kind"),
        source="*.state",
        read=process_is("RUNNING"),
    ),
    StatusMetric(
        name="foxtrot_process_fatal",
        type="gauge",
        help="1 if the process has ended and is not started again, or cannot be killed (FATAL, LOST).",
        labels=("process", "kind"),
        source="*.state",
        read=process_is("FATAL", "LOST"),
    ),
    field(CHILD, "foxtrot_process_heartbeat_age_seconds", "gauge", "Age of the latest heartbeat.", "heartbeat_age_s"),
    field(CHILD, "foxtrot_process_incarnation", "gauge", "Number of the current incarnation.", "incarnation"),
    field(CHILD, "foxtrot_process_uptime_seconds", "gauge", "Time since the process was created.", "uptime_s"),
    field(
        CHILD, "foxtrot_process_ready_seconds", "gauge", "Time since the process reported that it serves.", "ready_s"
    ),
    field(CHILD, "foxtrot_process_retry_seconds", "gauge", "Time until it is started again, in BACKOFF.", "retry_in_s"),
    field(CHILD, "foxtrot_process_restarts_total", "counter", "Restarts, without rotations.", "restarts_total"),
    field(CHILD, "foxtrot_process_rotations_total", "counter", "Rotations.", "rotations_total"),
    field(CHILD, "foxtrot_process_kills_total", "counter", "Incarnations that were sent SIGKILL.", "kills_total"),
    StatusMetric(
        name="foxtrot_process_last_exit_info",
        type="info",
        help="How the latest incarnation ended, and at which rung of the stop ladder.",
        labels=("process", "kind", "how", "rung"),
        source="*.last_exit",
        read=last_exits,
    ),
    # ---- workers
    StatusMetric(
        name="foxtrot_connection_flowing",
        type="gauge",
        help="1 if a worker of the connection serves and the exchange has accepted or sends at least one topic.",
        labels=("connection", "exchange"),
        source="workers[].state, workers[].topics",
        read=connections_flowing,
    ),
    StatusMetric(
        name="foxtrot_worker_topics",
        type="gauge",
        help="Topics by state; asked and acknowledged ones are waiting.",
        labels=("worker", "connection", "exchange", "state"),
        source="workers[].topics",
        read=topics,
    ),
    field(
        WORKER, "foxtrot_worker_data_age_seconds", "gauge", "Age of the latest data of any topic.", "last_data_age_s"
    ),
    field(WORKER, "foxtrot_worker_frames_total", "counter", "WebSocket frames received.", "frames_total"),
    field(
        WORKER, "foxtrot_worker_frames_rejected_total", "counter", "Frames that could not be parsed.", "rejected_total"
    ),
    field(WORKER, "foxtrot_worker_events_total", "counter", "Events parsed.", "events_total"),
    field(WORKER, "foxtrot_worker_events_committed_total", "counter", "Events committed to rings.", "committed_total"),
    field(
        WORKER,
        "foxtrot_worker_events_dropped_total",
        "counter",
        "Events dropped because the ring was full; announced as gaps.",
        "dropped_total",
    ),
    *_engine_counts(WORKER, "foxtrot_worker"),
    field(
        WORKER,
        "foxtrot_worker_events_redelivered_total",
        "counter",
        "Events given to handlers twice.",
        "redelivered_total",
    ),
    field(WORKER, "foxtrot_worker_ring_used_bytes", "gauge", "Used bytes of the rings.", "ring_used_bytes"),
    field(WORKER, "foxtrot_worker_rings", "gauge", "Rings that are not read to their end.", "rings"),
    field(
        WORKER,
        "foxtrot_worker_budget_waits_total",
        "counter",
        "Waits for the exchange's rate limit.",
        "budget_waits_total",
    ),
    field(
        WORKER,
        "foxtrot_worker_budget_refused_total",
        "counter",
        "Requests not sent, because the rate limit left no room.",
        "budget_refused_total",
    ),
    field(
        WORKER,
        "foxtrot_worker_budget_unanswered_total",
        "counter",
        "Requests for a share of the rate limit that the supervisor did not answer in time.",
        "budget_unanswered_total",
    ),
    field(
        WORKER,
        "foxtrot_worker_snapshots_rejected_total",
        "counter",
        "Book snapshots that could not be used.",
        "snapshots_rejected_total",
    ),
    field(
        WORKER,
        "foxtrot_worker_events_templated_total",
        "counter",
        "Events made by frame templates.",
        "templated_total",
    ),
    field(
        WORKER,
        "foxtrot_worker_templates_off_total",
        "counter",
        "Kinds of frames whose templates were switched off.",
        "templates_off_total",
    ),
    StatusMetric(
        name="foxtrot_latency_seconds",
        type="histogram",
        help="Latency of events by stage: exchange_received, received_published, published_handled.",
        labels=("exchange", "connection", "stage"),
        unit="seconds",
        source="workers[].stages",
        read=latency,
    ),
    # ---- workers of a cluster, at the host of an engine
    StatusMetric(
        name="foxtrot_remote_workers",
        type="gauge",
        help="Workers of the cluster by node and state.",
        labels=("node", "state"),
        source="remote_workers[].state",
        read=remote_states,
    ),
    StatusMetric(
        name="foxtrot_remote_connection_flowing",
        type="gauge",
        help="1 if a worker of the connection serves on a node that can be heard.",
        labels=("connection",),
        source="remote_workers[].state",
        read=remote_connections_flowing,
    ),
    StatusMetric(
        name="foxtrot_remote_worker_serving",
        type="gauge",
        help="1 if it serves on a node that can be heard.",
        labels=("worker", "connection", "node"),
        source="remote_workers[].state",
        read=remote_serving,
    ),
    field(
        REMOTE_WORKER,
        "foxtrot_remote_worker_events_total",
        "counter",
        "Events of this incarnation that this engine has handled, copies included.",
        "events_total",
    ),
    field(
        REMOTE_WORKER,
        "foxtrot_remote_worker_data_age_seconds",
        "gauge",
        "Time since this engine has handled an event of it.",
        "quiet_s",
    ),
    *_engine_counts(REMOTE_WORKER, "foxtrot_remote_worker"),
    StatusMetric(
        name="foxtrot_remote_latency_seconds",
        type="histogram",
        help="As foxtrot_latency_seconds; published_handled is by the clocks of both hosts.",
        labels=("connection", "node", "stage"),
        unit="seconds",
        source="remote_workers[].stages",
        read=remote_latency,
    ),
    # ---- engine
    field(ENGINE, "foxtrot_engine_events_total", "counter", "Events given to handlers.", "events_total"),
    field(ENGINE, "foxtrot_engine_queue_depth", "gauge", "Events waiting in the queue.", "queue_depth"),
    field(
        ENGINE,
        "foxtrot_engine_dispatch_p50_seconds",
        "gauge",
        "Median time to dispatch an event, of the last seconds.",
        "dispatch_p50_us",
        divisor=1e6,
    ),
    field(
        ENGINE,
        "foxtrot_engine_dispatch_p99_seconds",
        "gauge",
        "99th percentile of the same.",
        "dispatch_p99_us",
        divisor=1e6,
    ),
    field(
        ENGINE,
        "foxtrot_engine_slow_calls_total",
        "counter",
        "Calls of handlers that took longer than slow_handler_ms.",
        "slow_handlers",
    ),
    field(
        ENGINE,
        "foxtrot_engine_handler_errors_total",
        "counter",
        "Calls of handlers that raised.",
        "handler_errors_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_events_redelivered_total",
        "counter",
        "Events given again because the previous engine died.",
        "redelivered_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_account_violations_total",
        "counter",
        "Rings whose account does not balance.",
        "account_violations_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_batches_rejected_total",
        "counter",
        "Batches and rings that could not be read.",
        "rejected_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_early_bells_total",
        "counter",
        "Times that the engine woke because an exchange had sent something, before its worker had a batch.",
        "early_bells_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_early_bells_vain_total",
        "counter",
        "Of these, times that no batch followed at once.",
        "early_bells_vain_total",
    ),
    field(
        ENGINE,
        "foxtrot_engine_events_dropped_total",
        "counter",
        "Events dropped because the queue was full.",
        "dropped_total",
    ),
    field(ENGINE, "foxtrot_engine_ticks_total", "counter", "Ticks made.", "ticks_total"),
    field(ENGINE, "foxtrot_engine_bars_total", "counter", "Bars made of trades.", "bars_total"),
    field(
        ENGINE,
        "foxtrot_engine_late_trades_total",
        "counter",
        "Trades that arrived after their bar was closed.",
        "late_trades_total",
    ),
    field(ENGINE, "foxtrot_engine_leaks_total", "counter", "Findings of the leak monitor.", "leaks_total"),
    field(HANDLER, "foxtrot_handler_calls_total", "counter", "Calls of a handler; the most conspicuous ones.", "calls"),
    field(HANDLER, "foxtrot_handler_errors_total", "counter", "Calls that raised.", "errors"),
    field(HANDLER, "foxtrot_handler_slow_total", "counter", "Calls that were slow.", "slow"),
    field(HANDLER, "foxtrot_handler_suspended", "gauge", "1 if it failed too often and is not called.", "suspended"),
    field(HANDLER, "foxtrot_handler_p50_seconds", "gauge", "Median duration of a call.", "p50_us", divisor=1e6),
    field(HANDLER, "foxtrot_handler_p99_seconds", "gauge", "99th percentile of the same.", "p99_us", divisor=1e6),
    field(HANDLER, "foxtrot_handler_max_seconds", "gauge", "Longest call.", "max_us", divisor=1e6),
    # ---- what workers share
    field(BACKFILL, "foxtrot_backfill_holes_total", "counter", "Holes to be filled by REST.", "holes_total"),
    field(BACKFILL, "foxtrot_backfill_filled_total", "counter", "Holes filled.", "filled_total"),
    field(BACKFILL, "foxtrot_backfill_given_up_total", "counter", "Holes that stay.", "given_up_total"),
    field(BACKFILL, "foxtrot_backfill_events_total", "counter", "Events fetched.", "events_total"),
    field(BACKFILL, "foxtrot_backfill_attempts_total", "counter", "Attempts.", "attempts_total"),
    field(BACKFILL, "foxtrot_backfill_waiting", "gauge", "Holes that wait for a worker.", "waiting"),
    field(BACKFILL, "foxtrot_backfill_in_hand", "gauge", "Holes that a worker is filling.", "in_hand"),
    field(BUDGET, "foxtrot_rate_limit", "gauge", "Allowed in one period; 0: no limit is known.", "limit"),
    field(BUDGET, "foxtrot_rate_limit_period_seconds", "gauge", "The period.", "period_s"),
    field(BUDGET, "foxtrot_rate_limit_used", "gauge", "Used in the latest period.", "used"),
    field(BUDGET, "foxtrot_rate_limit_waiting", "gauge", "Requests that wait.", "waiting"),
    field(
        BUDGET,
        "foxtrot_rate_limit_closed_seconds",
        "gauge",
        "Time for which the exchange still refuses requests.",
        "closed_s",
    ),
    field(BUDGET, "foxtrot_rate_limit_granted_total", "counter", "Requests granted.", "granted_total"),
    field(BUDGET, "foxtrot_rate_limit_waits_total", "counter", "Requests that had to wait.", "waits_total"),
    field(BUDGET, "foxtrot_rate_limit_refused_total", "counter", "Requests refused here.", "refused_total"),
    field(
        BUDGET,
        "foxtrot_rate_limit_closings_total",
        "counter",
        "Times the exchange refused requests (429, 418).",
        "closings_total",
    ),
    field(MARKET, "foxtrot_market_symbols", "gauge", "Symbols of a connection with patterns.", "symbols"),
    field(MARKET, "foxtrot_market_shards", "gauge", "Workers that share them.", "shards"),
    field(MARKET, "foxtrot_market_listed_total", "counter", "Symbols listed since the start.", "listed_total"),
    field(MARKET, "foxtrot_market_delisted_total", "counter", "Symbols delisted since the start.", "delisted_total"),
    # ---- services
    StatusMetric(
        name="foxtrot_service_problem",
        type="gauge",
        help="1 if a service reports that something is wrong, such as a failed alert command.",
        labels=("process",),
        source="services[].problem",
        read=service_problems,
    ),
    StatusMetric(
        name="foxtrot_service_counts_total",
        type="counter",
        help="What a service counts: calls and failures of alerts; rows that a sink has delivered, lost, refused.",
        labels=("process", "what"),
        source="services[].counts",
        read=service_counts,
    ),
    StatusMetric(
        name="foxtrot_service_figures",
        type="gauge",
        help="What a service measures: rows that wait in the spool of a sink, its bytes.",
        labels=("process", "what"),
        source="services[].counts",
        read=service_figures,
    ),
    # ---- incidents
    StatusMetric(
        name="foxtrot_incidents_total",
        type="counter",
        help="Incidents by kind.",
        labels=("kind",),
        source="incidents.by_kind",
        read=incidents,
    ),
    field(INCIDENTS, "foxtrot_incidents_kept", "gauge", "Incidents that can be read.", "kept"),
    field(INCIDENTS, "foxtrot_incidents_kept_bytes", "gauge", "Their size.", "kept_bytes"),
    field(INCIDENTS, "foxtrot_incidents_evicted_total", "counter", "Incidents that have fallen out.", "evicted_total"),
    field(
        INCIDENTS,
        "foxtrot_incidents_suppressed_total",
        "counter",
        "Incidents that were counted and not kept.",
        "suppressed_total",
    ),
)
"""Every metric that is computed from the status."""


OWN: Final[Mapping[str, Metric]] = {
    "requests_total": Metric(
        name="foxtrot_metrics_requests_total",
        type="counter",
        help="HTTP requests that the server of this answer has had.",
        source="the answer itself",
    ),
    "refused_total": Metric(
        name="foxtrot_metrics_requests_refused_total",
        type="counter",
        help="Requests refused: wrong host, token, method or path.",
        source="the answer itself",
    ),
    "dropped_total": Metric(
        name="foxtrot_metrics_connections_dropped_total",
        type="counter",
        help="Connections dropped: slow, malformed, or too many.",
        source="the answer itself",
    ),
}
"""What the server counts itself."""

OMITTED: Final = Metric(
    name="foxtrot_metrics_series_omitted",
    type="gauge",
    help="Samples left out of this answer because a metric had too many.",
    source="the answer itself",
)

EXCLUDED: Final[Mapping[str, str]] = {
    "pid": "changes with every incarnation: foxtrot_process_incarnation says so",
    "events_per_s": "rate() of the counter",
    "latency_p50_us": "foxtrot_latency_seconds",
    "latency_p99_us": "foxtrot_latency_seconds",
    "last_seq": "the sum of foxtrot_incidents_total without the suppressed ones",
    "essential": "a setting",
    "stopped_by_operator": "foxtrot_connection_flowing leaves out connections that an operator has stopped",
}
"""Numbers of the status that are no metric, and why."""


def families(status: Item, own: Mapping[str, float]) -> list[Family]:
    """Return every metric with its samples; `own`: counts of the server, by the names of `OWN`."""
    omitted = 0
    found = []
    for metric in METRICS:
        samples: dict[tuple[str, ...], Sample] = {}
        for sample in metric.read(status):
            labels = tuple(_label(value) for value in sample.labels)
            if labels not in samples and len(samples) >= SERIES_MAX:
                omitted += 1
            else:
                samples[labels] = Sample(labels, sample.value)
        found.append(Family(metric, list(samples.values())))
    found += [Family(OWN[name], [Sample((), count)]) for name, count in own.items()]
    found.append(Family(OMITTED, [Sample((), omitted)]))
    return found


def _label(value: Any) -> str:
    text = str(value)[:LABEL_CHARS_MAX]
    return "".join(character if character.isprintable() else "?" for character in text)
