"""One look ends the sessions of all that died, in bounded pieces; a pretended process table."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from foxtrot_supervisor.runtime.processes import sessions as module
from foxtrot_supervisor.runtime.processes.sessions import LOOKS_MAX, Sessions
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.procfs import ProcessFacts

OWN = 1


class Table:
    """Processes by id: parent, session, and what their death by SIGKILL leads to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[int, tuple[int, int]] = {}
        self.killed: list[int] = []
        self.lists: list[int] = []
        """Whose children were listed."""
        self.on_kill: Callable[[int], None] = lambda pid: None
        self.has_lists = True
        monkeypatch.setattr(procfs, "child_pids", self.child_pids)
        monkeypatch.setattr(procfs, "read_facts", self.read_facts)
        monkeypatch.setattr(procfs, "processes", lambda: iter([f for f in map(self.read_facts, list(self.rows)) if f]))
        monkeypatch.setattr(module, "signal_if", self.signal_if)

    def add(self, pid: int, *, parent: int, session: int) -> None:
        self.rows[pid] = (parent, session)

    def child_pids(self, parent: int) -> list[int]:
        if not self.has_lists:
            raise FileNotFoundError
        self.lists.append(parent)
        return [pid for pid, (above, _) in self.rows.items() if above == parent]

    def read_facts(self, pid: int) -> ProcessFacts | None:
        row = self.rows.get(pid)
        return None if row is None else ProcessFacts(pid, "p", "S", row[0], row[1], 0)

    def signal_if(self, pid: int, number: int, still: Callable[[ProcessFacts], bool]) -> None:
        facts = self.read_facts(pid)
        if facts is not None and still(facts):
            del self.rows[pid]
            self.rows = {each: (OWN if above == pid else above, s) for each, (above, s) in self.rows.items()}
            self.killed.append(pid)
            self.on_kill(pid)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def known(*pids: int) -> Sessions:
    return Sessions(OWN, set(pids).__contains__)


def test_one_look_serves_all_that_died_and_reads_none_of_the_living(table: Table) -> None:
    leaders = range(100, 150)
    for leader in leaders:
        table.add(leader, parent=OWN, session=leader)
    for pid in range(1000, 1100):
        table.add(pid, parent=777, session=777)  # the rest of the machine
    sessions = known(*leaders)
    for leader in leaders:
        sessions.end(leader, leader_lives=False)
    assert sorted(sessions.step(math.inf)) == list(leaders)
    assert table.lists == [OWN]
    assert table.killed == []
    assert not sessions.busy


@pytest.mark.parametrize("has_lists", [True, False])
def test_members_are_killed_wherever_they_hang_and_others_are_not(table: Table, has_lists: bool) -> None:
    table.has_lists = has_lists
    table.add(50, parent=OWN, session=50)  # the living child of another session, with one of its own
    table.add(51, parent=50, session=50)
    table.add(10, parent=OWN, session=5)  # left by the dead child 5, with a child of its own
    table.add(11, parent=10, session=5)
    table.add(12, parent=10, session=12)  # has left the session: a stray, which a sweep finds
    sessions = known(5, 50)
    sessions.end(5, leader_lives=False)
    assert 5 in sessions
    assert sessions.step(math.inf) == [5]
    assert sorted(table.killed) == [10, 11]
    assert 5 not in sessions


def test_members_of_a_killed_leader_that_still_lives_are_found_below_it(table: Table) -> None:
    table.add(5, parent=OWN, session=5)
    table.add(11, parent=5, session=5)
    sessions = known(5)
    sessions.end(5, leader_lives=True)
    assert sessions.step(math.inf) == [5]
    assert table.killed == [11]


def test_members_forked_while_others_are_killed_are_found_by_a_further_look(table: Table) -> None:
    table.add(10, parent=OWN, session=5)
    table.on_kill = lambda pid: table.add(pid + 1, parent=OWN, session=5) if pid < 12 else None
    sessions = known(5)
    sessions.end(5, leader_lives=False)
    assert sessions.step(math.inf) == [5]
    assert table.killed == [10, 11, 12]


def test_a_session_that_forks_for_ever_is_given_up(table: Table) -> None:
    table.add(10, parent=OWN, session=5)
    table.on_kill = lambda pid: table.add(pid + 1, parent=OWN, session=5)
    sessions = known(5)
    sessions.end(5, leader_lives=False)
    assert sessions.step(math.inf) == [5]
    assert len(table.killed) == LOOKS_MAX


def test_a_look_goes_on_where_it_was_and_covers_only_who_was_there_when_it_began(table: Table) -> None:
    for pid in range(10, 15):
        table.add(pid, parent=OWN, session=5)
    sessions = known(5, 6)
    sessions.end(5, leader_lives=False)
    steps = 0
    sessions.step(-math.inf)
    assert len(table.killed) == 1, "one process at least, and no more when the time is over"
    sessions.end(6, leader_lives=False)
    table.add(20, parent=OWN, session=6)
    cleared: list[int] = []
    while sessions.busy:
        cleared += sessions.step(-math.inf)
        steps += 1
        assert steps < 100
    assert sorted(cleared) == [5, 6]
    assert sorted(table.killed) == [10, 11, 12, 13, 14, 20]


def test_without_a_free_descriptor_nothing_is_found(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(parent: int) -> list[int]:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(procfs, "child_pids", fail)
    sessions = known(5)
    sessions.end(5, leader_lives=False)
    assert sessions.step(math.inf) == [5]
