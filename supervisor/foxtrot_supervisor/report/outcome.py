"""The outcome of a run: the answer to ``stop``, and what an embedding application is told at the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from foxtrot_supervisor.core.records import ChildRecord

__all__ = ["outcome_of"]


def outcome_of(exit_code: int, records: Iterable[ChildRecord], audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the exit code of a run, how each child ended, and the result of the audit."""
    return {
        "exit_code": int(exit_code),
        "children": [
            {
                "name": record.name,
                "incarnation": record.incarnation,
                "state": record.state.value,
                "rung": record.rung,
                "exit_code": record.last_exit.code if record.last_exit else None,
                "signal": record.last_exit.signal if record.last_exit else None,
                "cause": record.cause,
            }
            for record in records
        ],
        "audit": dict(audit),
    }
