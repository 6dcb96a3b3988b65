"""Exit codes across the process border."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, ExitVerdict, SupervisorExit, verdict


@pytest.mark.parametrize(
    ("code", "signal", "expected"),
    [
        (ChildExit.CLEAN, None, ExitVerdict.CLEAN),
        (ChildExit.CRASH, None, ExitVerdict.CRASH),
        (ChildExit.CONNECTION_LOST, None, ExitVerdict.OUTSIDE),
        (ChildExit.REFUSED, None, ExitVerdict.OUTSIDE),
        (ChildExit.STALE, None, ExitVerdict.OUTSIDE),
        (ChildExit.ROTATE, None, ExitVerdict.ROTATE),
        (ChildExit.CONFIGURATION, None, ExitVerdict.PERMANENT),
        (ChildExit.ORPHANED, None, ExitVerdict.CRASH),
        (77, None, ExitVerdict.CRASH),
        (None, 9, ExitVerdict.CRASH),
        (None, None, ExitVerdict.CRASH),
    ],
)
def test_what_a_death_means(code: int | None, signal: int | None, expected: ExitVerdict) -> None:
    assert verdict(code, signal) is expected


def test_the_documented_codes_of_the_program() -> None:
    assert {code.name: int(code) for code in SupervisorExit} == {
        "CLEAN": 0,
        "INTERNAL_ERROR": 1,
        "USAGE": 2,
        "START_FAILED": 3,
        "KILL_NEEDED": 4,
        "ESSENTIAL_FATAL": 5,
        "LEFTOVER": 6,
        "UNKILLABLE": 7,
        "ALREADY_RUNNING": 75,
        "CONFIGURATION": 78,
    }
