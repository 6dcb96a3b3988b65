"""How the supervised part of an application ended, as its `Supervisor.stop` tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.core.shutdown import exit_code_after_audit
from foxtrot_supervisor.report.unhandled_events import UnhandledRing

__all__ = ["EndReport", "report_of"]


class EndReport(Struct, frozen=True, kw_only=True):
    """The end of everything that was started."""

    exit_code: int
    """As of the command ``foxtrot-supervisor start`` (`SupervisorExit`)."""
    cause: str
    """Why it ended."""
    rungs: dict[str, str | None] = {}
    """By child: how far down the stop ladder it had to go (ask, term, kill, lost); None: it had ended before."""
    children: list[dict[str, Any]] = []
    """What became of each, as ``foxtrot-supervisor stop --json`` has it."""
    audit: dict[str, Any] = {}
    """What the supervisor found left behind at its end; {} if it did not get so far."""
    left: list[str] = []
    """What is left in the application itself."""
    unhandled: list[dict[str, Any]] = []
    """Rings with events that no handler was given: ``worker``, ``incarnation``, ``events`` (None: unknown)."""
    restarts_total: int = 0
    """How often the supervisor had to be started again."""
    finished: bool = True
    """False: asked for from a handler, which everything has to wait for; ask again elsewhere for how it ended."""

    @property
    def clean(self) -> bool:
        """Everything ended when asked, nothing is left, and every event was handled."""
        return self.finished and self.exit_code == SupervisorExit.CLEAN and not self.left

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ``clean`` first."""
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
    """Make the report from the supervisor's own outcome and what the application found in itself.

    `outcome` and `exit_code` are None if the supervisor reported nothing. `unhandled`: what the application, as the
    engine, has not taken from the rings.
    """
    told = outcome or {}
    children = list(told.get("children", ()))
    code = SupervisorExit.INTERNAL_ERROR if exit_code is None else exit_code
    audit = dict(told.get("audit", {}))
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
