#!/usr/bin/env python3
"""Draw the states of a supervised child from the transition table.

Writes ``docs/lifecycle.md`` (or FILE): a Mermaid diagram and the whole table. With ``--check`` nothing is written;
exit 1 if the file does not match the table.

usage: draw_lifecycle.py [--check] [FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from foxtrot_supervisor.core.lifecycle import ILLEGAL, PROCESS_STATES, TABLE, Event, State

TARGET = Path(__file__).parents[1] / "docs" / "lifecycle.md"

HEAD = """\
# States of a supervised child

<!-- Drawn by scripts/draw_lifecycle.py from foxtrot_supervisor.core.lifecycle.TABLE; do not edit. -->

The observed state of a child's current incarnation. The *desired* state is kept separately. An event that is
illegal in a state raises an error and changes nothing. The docstrings of `foxtrot_supervisor.core.lifecycle` define
states and events. The policies that cause events are `health`, `stop_ladder`, `restart` and `shutdown` in
`foxtrot_supervisor.core`.

## Transitions

Events that do not change a state are not drawn. An arrow from the frame holds for every state in it.
"""


def moves_of(state: State) -> dict[Event, State]:
    """The events that change `state`, each with the state that follows."""
    return {event: after for event, after in TABLE[state].items() if after is not ILLEGAL and after is not state}


def common_moves() -> dict[Event, State]:
    """Events that lead to the same state from every state in which a process may exist."""
    rows = [set(moves_of(state).items()) for state in PROCESS_STATES]
    shared = set.intersection(*rows)
    return {event: after for event in Event for candidate, after in shared if candidate is event}


def edges(source: str, moves: dict[Event, State]) -> list[str]:
    """One line for each following state, with all events that lead there."""
    lines = []
    for after in State:
        words = [event.value for event, reached in moves.items() if reached is after]
        if words:
            lines.append(f"    {source} --> {after.value}: {', '.join(words)}")
    return lines


def diagram() -> str:
    """The Mermaid text."""
    common = common_moves()
    lines = ["stateDiagram-v2", "    [*] --> STOPPED", '    state "a process may exist" as process {']
    lines += [f"        {state.value}" for state in State if state in PROCESS_STATES]
    lines += ["    }"]
    for state in State:
        own = {event: after for event, after in moves_of(state).items() if common.get(event) is not after}
        lines += edges(state.value, own if state in PROCESS_STATES else moves_of(state))
    lines += edges("process", common)
    return "\n".join(["```mermaid", *lines, "```"])


def table() -> str:
    """The transition table in Markdown."""
    lines = [f"| | {' | '.join(event.value for event in Event)} |", f"| --- {'| --- ' * len(Event)}|"]
    for state in State:
        afters = [TABLE[state][event] for event in Event]
        cells = ["illegal" if after is ILLEGAL else after.value for after in afters]
        lines.append(f"| `{state.value}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def document() -> str:
    """The whole file."""
    return f"{HEAD}\n{diagram()}\n\n## Transition table\n\n{table()}\n"


def main() -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw docs/lifecycle.md from the table of states.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is not current")
    parser.add_argument("file", nargs="?", type=Path, default=TARGET)
    arguments = parser.parse_args()
    if not arguments.check:
        arguments.file.write_text(document(), encoding="utf-8")
        return 0
    if arguments.file.is_file() and arguments.file.read_text(encoding="utf-8") == document():
        return 0
    print(f"{arguments.file} is not current: run scripts/draw_lifecycle.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
