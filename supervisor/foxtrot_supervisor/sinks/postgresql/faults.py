"""What an error of PostgreSQL means for a sink, by its SQLSTATE. Pure.

Codes: PostgreSQL documentation, appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["Fault", "fault_of"]

Fault: TypeAlias = Literal["row", "misconfigured", "unavailable"]
"""* ``row``: what a row contains is refused
* ``misconfigured``: a person must change something
* ``unavailable``: a later attempt may succeed"""

_ROW: Final = ("22", "23", "54", "P0")
"""Classes: data exception, integrity constraint violation, program limit exceeded (such as an index row too long),
error of a trigger."""

_CHECK_VIOLATION: Final = "23514"

_LOGIN: Final = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "certificate",
    "does not support SSL",
    "does not exist",
)
"""What the server, or libpq, says where it refuses a connection: such an error has no code."""

_MISCONFIGURED: Final = ("28", "3D", "3F", "42", "0A")
"""Classes: invalid authorization, unknown database, unknown schema, access rule or syntax, not supported."""


def fault_of(sqlstate: str | None, text: str = "", constraint: str | None = None) -> Fault:
    """Return what an error means. `text`: its message; `constraint`: name of the violated one."""
    if sqlstate is None:  # of a connection that broke, or was refused
        return "misconfigured" if any(each in text for each in _LOGIN) else "unavailable"
    if sqlstate == _CHECK_VIOLATION and constraint is None:
        return "misconfigured"  # no partition for the row's time: more of them are needed, the row is good
    if sqlstate.startswith(_ROW):
        return "row"
    return "misconfigured" if sqlstate.startswith(_MISCONFIGURED) else "unavailable"
