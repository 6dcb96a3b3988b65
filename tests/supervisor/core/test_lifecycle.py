"""Every cell of the table, against an expectation that is written out by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_protocol.errors import LocalError
from foxtrot_supervisor.core.lifecycle import (
    ILLEGAL,
    PROCESS_STATES,
    TABLE,
    Desired,
    Event,
    IllegalTransition,
    State,
    step,
)

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "draw_lifecycle.py"

# One row a state, one column an event; "-" is illegal. Written from the design, not from the table.
EXPECTED = """
            START     HELLO       READY     STOP      REPLACE   ENDED    RETRY    LEAVE   GIVE_UP  LOSE
STOPPED     STARTING  -           -         STOPPED   -         -        -        -       -        -
STARTING    -         CONNECTING  RUNNING   STOPPING  STOPPING  STOPPED  BACKOFF  EXITED  FATAL    -
CONNECTING  -         CONNECTING  RUNNING   STOPPING  STOPPING  STOPPED  BACKOFF  EXITED  FATAL    -
RUNNING     -         RUNNING     RUNNING   STOPPING  STOPPING  STOPPED  BACKOFF  EXITED  FATAL    -
BACKOFF     STARTING  -           -         STOPPED   -         -        -        -       -        -
STOPPING    -         STOPPING    STOPPING  STOPPING  STOPPING  STOPPED  BACKOFF  EXITED  FATAL    LOST
EXITED      STARTING  -           -         EXITED    -         -        -        -       -        -
FATAL       STARTING  -           -         FATAL     -         -        -        -       -        -
LOST        -         LOST        LOST      LOST      -         STOPPED  BACKOFF  EXITED  FATAL    -
"""


def _cells() -> list[tuple[str, str, str]]:
    head, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    return [(row[0], event, after) for row in rows for event, after in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "event", "after"), _cells())
def test_cell(state: str, event: str, after: str) -> None:
    if after == "-":
        with pytest.raises(IllegalTransition):
            step(State[state], Event[event])
    else:
        assert step(State[state], Event[event]) is State[after]


def test_the_expectation_covers_the_whole_table() -> None:
    assert {(state, event) for state, event, _ in _cells()} == {(s.name, e.name) for s in State for e in Event}
    assert len(_cells()) == len(State) * len(Event) == 90


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_cell_is_decided(state: State, event: Event) -> None:
    """No cell is missing, `step` does what the table says, and an illegal event tells what it was."""
    decided = TABLE[state][event]
    if decided is ILLEGAL:
        with pytest.raises(IllegalTransition, match=f"illegal in state {state.value}") as raised:
            step(state, event)
        assert (raised.value.state, raised.value.event) == (state, event)
        assert isinstance(raised.value, LocalError)
        assert TABLE[state][event] is ILLEGAL
    else:
        assert step(state, event) is decided


@pytest.mark.parametrize("state", State)
def test_stop_is_legal_in_each_state(state: State) -> None:
    assert step(state, Event.STOP) in (state, State.STOPPED, State.STOPPING)


def test_no_start_while_a_process_may_live() -> None:
    """Otherwise two incarnations of one child would live."""
    for state in State:
        assert (TABLE[state][Event.START] is ILLEGAL) == (state in PROCESS_STATES)


def test_every_state_is_reached_and_only_a_death_or_lose_ends_a_process() -> None:
    reached = {after for row in TABLE.values() for after in row.values() if after is not ILLEGAL}
    assert reached == set(State)
    deaths = {Event.ENDED, Event.RETRY, Event.LEAVE, Event.GIVE_UP}
    for state in PROCESS_STATES:
        for event, after in TABLE[state].items():
            if after is not ILLEGAL and after not in PROCESS_STATES:
                assert event in deaths


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE[State.STOPPED] = {}  # type: ignore[index]  # that it is refused is the point
    with pytest.raises(TypeError):
        TABLE[State.STOPPED][Event.HELLO] = State.RUNNING  # type: ignore[index]  # likewise


def test_words_of_states_are_their_names() -> None:
    assert all(state.value == state.name for state in (*State, *Desired))


def _draw(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_drawn_diagram_is_current() -> None:
    checked = _draw("--check")
    assert checked.returncode == 0, checked.stderr


def test_the_check_sees_a_diagram_that_is_not_current(tmp_path: Path) -> None:
    drawn = tmp_path / "lifecycle.md"
    assert _draw("--check", str(drawn)).returncode == 1
    assert _draw(str(drawn)).returncode == 0
    assert drawn.read_text() == (ROOT / "docs" / "lifecycle.md").read_text()
    assert _draw("--check", str(drawn)).returncode == 0
    drawn.write_text(drawn.read_text().replace("LOST", "MISSING"))
    checked = _draw("--check", str(drawn))
    assert checked.returncode == 1
    assert "draw_lifecycle" in checked.stderr


def test_the_diagram_shows_every_move() -> None:
    """Each move between two different states stands in the table of the document, by its words."""
    text = (ROOT / "docs" / "lifecycle.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    for state in State:
        cells = [cell.strip() for cell in rows[state.value].split("|")[2:-1]]
        afters = [TABLE[state][event] for event in Event]
        assert cells == ["illegal" if after is ILLEGAL else after.value for after in afters]
