"""Result of `Supervisor.stop`: how the supervised part of an application ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.core.shutdown import exit_code_after_audit
from foxtrot_supervisor.report.unhandled_events import UnhandledRing

__all__ = ["EndReport", "report_of"]


class EndReport(Struct, frozen=True, kw_only=True):
    """How everything that was started ended."""

    exit_code: int
    """As of the command ``foxtrot-supervisor start``: a `SupervisorExit`."""
    cause: str
    """Why it ended."""
    rungs: dict[str, str | None] = {}
    """By child: the last step of the stop ladder it needed (ask, term, kill, lost); None: it had ended before."""
    children: list[dict[str, Any]] = []
    """End of each child, as in ``foxtrot-supervisor stop --json``."""
    audit: dict[str, Any] = {}
    """What the supervisor's final audit found left behind; {} without an audit."""
    left: list[str] = []
    """What could not be ended in the application itself, as text."""
    unhandled: list[dict[str, Any]] = []
    """Rings with events that no handler has received: ``worker``, ``incarnation``, ``events`` (None: unknown)."""
    restarts_total: int = 0
    """Number of restarts of the supervisor."""
    finished: bool = True
    """False: requested from a handler, on whose thread the end depends; call `stop` again on another thread."""

    @property
    def clean(self) -> bool:
        """Whether everything ended on request, nothing is left, and every event was handled."""
        return self.finished and self.exit_code == SupervisorExit.CLEAN and not self.left

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON, with ``clean`` first."""
        fields: dict[str, Any] = to_builtins(self)
        return {"clean": self.clean, **fields}


def report_of(
    outcome: Mapping[str, Any] | None,
    *,
    exit_code: int | None,
    cause: str,
    left: list[str],
    restarts_total: int,
    unhandled: Sequence[UnhandledRing] = (),
) -> EndReport:
    """Make the report from the supervisor's own outcome and the state of the application.

    `outcome` and `exit_code` are None if the supervisor died without a report. `left`: what could not be ended in the
    application. `unhandled`: rings that the application, as the engine, has not drained.
    """
    reported = outcome or {}
    children = list(reported.get("children", ()))
    code = SupervisorExit.INTERNAL_ERROR if exit_code is None else exit_code
    audit = dict(reported.get("audit", {}))
    rings = [*audit.get("unhandled", ()), *(ring.as_dict() for ring in unhandled)]
    return EndReport(
        exit_code=int(exit_code_after_audit(code, leftover=bool(left), unhandled=bool(rings))),
        cause=cause,
        rungs={child["name"]: child["rung"] for child in children},
        children=children,
        audit=audit,
        left=left,
        unhandled=rings,
        restarts_total=restarts_total,
    )
