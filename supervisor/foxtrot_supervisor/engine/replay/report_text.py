"""The report of a replay as text for people. Pure."""

from __future__ import annotations

import datetime

from foxtrot_supervisor.engine.replay.report import ReplayReport

__all__ = ["report_text"]

_REJECTED_SHOWN = 10


def report_text(report: ReplayReport) -> str:
    """Return the report, several lines without an end of line at the last."""
    lines = [
        f"replay: {_end_text(report)}",
        f"  recorded   {_time(report.begin_ns)} to {_time(report.end_ns)}"
        f"  ({(report.end_ns - report.begin_ns) / 1e9 if report.begin_ns else 0.0:,.1f} s)",
        f"  took       {report.wall_s:,.2f} s, of which handlers {report.handlers_s:,.2f} s"
        f"  ({report.events_per_s:,.0f} events/s)",
        f"  read       {report.frames_total:,} frames, {report.answers_total:,} REST answers,"
        f" {report.rejected_total:,} frames rejected",
        f"  handed on  {report.events_total:,} events, {report.ticks_total:,} ticks, {report.bars_total:,} bars,"
        f" {report.timers_total:,} timer events",
        f"  gaps       {report.gaps_total:,}",
    ]
    if report.handler_errors_total:
        lines.append(f"  errors     {report.handler_errors_total:,} exceptions of handlers")
    if report.dropped_total:
        lines.append(f"  dropped    {report.dropped_total:,} events that handlers put: the queue was full")
    if len(report.workers) > 1 or any(worker.copies for worker in report.workers.values()):
        lines.append("")
        lines += _table(
            ("worker", "events", "copies", "superseded", "gaps"),
            [
                (name, f"{worker.events:,}", f"{worker.copies:,}", f"{worker.superseded:,}", f"{worker.gaps:,}")
                for name, worker in report.workers.items()
            ],
            left=1,
        )
    if report.handlers:
        lines.append("")
        lines += _table(
            ("event", "handler", "calls", "errors", "p50 us", "p99 us", "max us"),
            [
                (
                    each.type or "(all)",
                    each.handler + (" (suspended)" if each.suspended else ""),
                    f"{each.calls:,}",
                    f"{each.errors:,}",
                    f"{each.p50_us:,.1f}",
                    f"{each.p99_us:,.1f}",
                    f"{each.max_us:,.1f}",
                )
                for each in report.handlers
            ],
            left=2,
        )
    if report.rejected:
        lines += ["", "rejected frames, the first of them:"]
        lines += [f"  {each.path} line {each.frame}: {each.reason}" for each in report.rejected[:_REJECTED_SHOWN]]
    return "\n".join(lines)


def _end_text(report: ReplayReport) -> str:
    return {
        "complete": f"complete: {report.cause}" if report.cause else "complete",
        "period": "to the end of the period",
        "interrupted": f"interrupted ({report.cause})",
        "failed": f"failed: {report.cause}",
    }[report.end]


def _time(at_ns: int) -> str:
    if not at_ns:
        return "unknown"
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=at_ns // 1000)
    return at.isoformat(sep=" ", timespec="milliseconds") + " UTC"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], left: int) -> list[str]:
    """Return aligned lines; the first `left` columns are aligned left, figures right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
