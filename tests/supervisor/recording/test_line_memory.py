"""Lines of a chunk in memory that is used again."""

from __future__ import annotations

import mmap

from foxtrot_supervisor.recording.line_memory import KEPT_MAX, MEMORY_BYTES, LineMemory, MemoryPool
from foxtrot_supervisor.recording.lines import RecordedLine


def plain_of(lines: LineMemory) -> bytes:
    with lines.plain() as plain:
        return bytes(plain)


def test_lines_are_gathered_with_their_times_and_then_forgotten() -> None:
    lines = LineMemory(MemoryPool())
    assert (plain_of(lines), lines.lines, lines.first_ns, lines.last_ns) == (b"", 0, 0, 0)
    lines.add(b"one\ntwo\n", 2, 70)
    lines.add_lines([RecordedLine(t=60, dir="in", raw="x")])
    assert plain_of(lines) == b'one\ntwo\n{"t":60,"dir":"in","raw":"x"}\n'
    assert (lines.used, lines.lines, lines.first_ns, lines.last_ns) == (38, 3, 60, 70)
    lines.free()
    assert (plain_of(lines), lines.used, lines.lines, lines.first_ns, lines.last_ns) == (b"", 0, 0, 0, 0)
    lines.add(b"next\n", 1, 80)
    assert (plain_of(lines), lines.first_ns, lines.last_ns) == (b"next\n", 80, 80)


def test_memory_grows_with_a_large_line_and_is_not_kept_then() -> None:
    pool = MemoryPool()
    lines = LineMemory(pool)
    lines.add(b"small\n", 1, 1)
    large = b"x" * MEMORY_BYTES + b"\n"
    lines.add(large, 1, 2)
    lines.add(large * 2, 1, 3)
    assert plain_of(lines) == b"small\n" + large * 3
    lines.free()
    assert len(pool.take()) == MEMORY_BYTES


def test_memory_is_used_again_up_to_a_number() -> None:
    pool = MemoryPool()
    memories = [pool.take() for _ in range(KEPT_MAX + 1)]
    for memory in memories:
        pool.give(memory)
    assert {id(pool.take()) for _ in range(KEPT_MAX)} == {id(memory) for memory in memories[:KEPT_MAX]}
    assert memories[-1].closed
    assert isinstance(pool.take(), mmap.mmap)
