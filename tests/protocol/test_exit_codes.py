"""Each exit has one meaning; what nobody planned is a crash."""

from __future__ import annotations

import pytest

from foxtrot_protocol.exit_codes import ChildExit, ExitVerdict, SupervisorExit, verdict


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ChildExit.CLEAN, ExitVerdict.CLEAN),
        (ChildExit.CRASH, ExitVerdict.CRASH),
        (ChildExit.CONNECTION_LOST, ExitVerdict.OUTSIDE),
        (ChildExit.REFUSED, ExitVerdict.OUTSIDE),
        (ChildExit.STALE, ExitVerdict.OUTSIDE),
        (ChildExit.ROTATE, ExitVerdict.ROTATE),
        (ChildExit.ORPHANED, ExitVerdict.CRASH),
        (ChildExit.OUT_OF_MEMORY, ExitVerdict.CRASH),
        (ChildExit.NO_ROOM, ExitVerdict.OUTSIDE),
        (ChildExit.CONFIGURATION, ExitVerdict.PERMANENT),
    ],
)
def test_every_child_exit_has_its_verdict(code: ChildExit, expected: ExitVerdict) -> None:
    assert verdict(int(code), None) is expected


def test_every_child_exit_is_tried() -> None:
    table = next(mark for mark in test_every_child_exit_has_its_verdict.pytestmark)  # type: ignore[attr-defined]  # pytest's
    assert {code for code, _ in table.args[1]} == set(ChildExit)


@pytest.mark.parametrize(("code", "signal"), [(None, 9), (None, 15), (2, None), (255, None), (-1, None), (None, None)])
def test_whatever_nobody_planned_is_a_crash(code: int | None, signal: int | None) -> None:
    assert verdict(code, signal) is ExitVerdict.CRASH


def test_the_promised_numbers_of_the_supervisor() -> None:
    assert [int(code) for code in SupervisorExit] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 75, 78]
