"""Stacks of real processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from foxtrot_supervisor.runtime.processes.processes import Child, Processes
from foxtrot_supervisor.runtime.processes.stack_dumps import StackDumps, stacks_name
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.system import procfs
from tests.support.children import target
from tests.support.waiting import wait_until_async


class Seen:
    def __init__(self) -> None:
        self.stacks: list[tuple[str, int, str]] = []
        self.exits: list[ExitStatus] = []

    def on_stacks(self, name: str, incarnation: int, text: str) -> None:
        self.stacks.append((name, incarnation, text))


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def processes(seen: Seen) -> AsyncIterator[Processes]:
    def on_exit(_: Child, status: ExitStatus) -> None:
        seen.exits.append(status)

    shell = Processes(asyncio.get_running_loop(), "run", on_exit)
    yield shell
    for child in shell.living():
        shell.signal(child, signal.SIGKILL)
    await wait_until_async(lambda: not shell.living(), what="the end of all")
    shell.close()


@pytest.fixture
async def dumps(processes: Processes, seen: Seen, tmp_path: Path) -> AsyncIterator[StackDumps]:
    made = StackDumps(asyncio.get_running_loop(), str(tmp_path), processes, seen.on_stacks)
    yield made
    made.close()


async def catching(processes: Processes, tmp_path: Path) -> Child:
    path = tmp_path / stacks_name("a", 1)
    child = processes.start("a", 1, target("raw_dumps_stacks"), str(path).encode())
    await wait_until_async(lambda: procfs.catches(child.pid, signal.SIGUSR2), what="its fault handler")
    return child


async def test_stacks_are_collected_once(processes: Processes, dumps: StackDumps, seen: Seen, tmp_path: Path) -> None:
    child = await catching(processes, tmp_path)
    dumps.ask(child)
    dumps.ask(child)
    await wait_until_async(lambda: seen.stacks, what="stacks")
    ((name, incarnation, text),) = seen.stacks
    assert (name, incarnation) == ("a", 1)
    assert "_block_here" in text
    assert text.count("most recent call first") == 1
    dumps.ended(child)
    assert not (tmp_path / stacks_name("a", 1)).exists()
    assert len(seen.stacks) == 1


async def test_a_stopped_process_is_continued_to_tell(
    processes: Processes, dumps: StackDumps, seen: Seen, tmp_path: Path
) -> None:
    child = await catching(processes, tmp_path)
    psutil.Process(child.pid).suspend()
    await wait_until_async(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, what="SIGSTOP")
    dumps.ask(child)
    await wait_until_async(lambda: seen.stacks, what="stacks")


async def test_a_process_without_a_handler_is_not_killed_by_the_question(
    processes: Processes, dumps: StackDumps, seen: Seen
) -> None:
    child = processes.start("a", 1, target("raw_sleep"), b"")
    await wait_until_async(lambda: procfs.read_facts(child.pid), what="it")
    dumps.ask(child)
    processes.signal(child, signal.SIGKILL)
    await wait_until_async(lambda: seen.exits, what="its end")
    assert seen.exits == [ExitStatus(None, signal.SIGKILL)]
    dumps.ended(child)
    assert seen.stacks == []


async def test_what_was_written_before_the_death_is_taken(
    processes: Processes, dumps: StackDumps, seen: Seen, tmp_path: Path
) -> None:
    child = await catching(processes, tmp_path)
    dumps.ask(child)
    path = tmp_path / stacks_name("a", 1)
    await wait_until_async(lambda: path.exists() and path.read_text().endswith("\n"), what="the file")
    dumps.ended(child)  # dead before the next look
    assert len(seen.stacks) == 1


async def test_the_stack_of_a_crash_is_reported_once_after_the_death(
    processes: Processes, dumps: StackDumps, seen: Seen, tmp_path: Path
) -> None:
    child = await catching(processes, tmp_path)
    path = tmp_path / stacks_name("a", 1)
    dumps.ask(child)
    await wait_until_async(lambda: seen.stacks, what="its stacks")
    processes.signal(child, signal.SIGKILL)
    await wait_until_async(lambda: seen.exits, what="its end")
    dumps.ended(child)
    assert len(seen.stacks) == 1  # nothing new
    path.write_text("Fatal Python error: Segmentation fault")
    dumps.ended(child)
    assert seen.stacks[1:] == [("a", 1, "Fatal Python error: Segmentation fault")]
    assert not path.exists()
