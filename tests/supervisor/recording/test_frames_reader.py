"""Reading a frames ring while it is written: nothing twice, nothing wrong, and the exact number of frames lost."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foxtrot_protocol import frames_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.frames_layout import CAPACITY_MIN, HEADER_BYTES, FramesIdentity, FramesRecord, FramesWord, Kind
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.line_memory import LineMemory, MemoryPool
from foxtrot_supervisor.recording.lines import received_lines
from foxtrot_workers.feed.frames_writer import FramesWriter


def a_writer(run_dir: Path, incarnation: int = 1) -> FramesWriter:
    return FramesWriter(
        str(run_dir),
        FramesIdentity(
            worker="c.a",
            incarnation=incarnation,
            connection="c",
            side="a",
            exchange="sim",
            capacity=CAPACITY_MIN,
            recorded=True,
            started_ns=1,
        ),
    )


def a_reader(run_dir: Path, position: int = 0, frames: int = 0) -> FramesReader:
    return FramesReader.open(str(run_dir / "frames"), "c.a", 1, position, frames)


@contextlib.contextmanager
def running(program: str, run_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child that runs `program`, from its first line of output to the end of the block."""
    child = subprocess.Popen([sys.executable, "-c", program, str(run_dir)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def numbers(reader: FramesReader) -> tuple[list[int], int]:
    """Everything that can be read, and the frames lost on the way."""
    seen, lost = [], 0
    while (record := reader.next()) is not None:
        seen += [int(part.split()[0]) for part in record.parts]
        lost += reader.lost
    return seen, lost


def test_a_reader_goes_on_where_another_ended(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    writer.received([b"1", b"2"], 1)
    writer.received([b"3"], 1)
    first = a_reader(tmp_path)
    assert first.waiting_bytes > 0
    first.next()
    second = a_reader(tmp_path, first.position, first.frames)
    assert numbers(second) == ([3], 0)
    assert (second.waiting_bytes, second.frames_written) == (0, 3)
    assert second.next() is None
    writer.received([b"4"], 1)
    assert numbers(second) == ([4], 0)
    for each in (first, second, writer):
        each.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_lapped_reader_knows_exactly_what_it_missed(tmp_path: Path, seed: int) -> None:
    chance, writer, reader = random.Random(seed), a_writer(tmp_path), a_reader(tmp_path)
    written, seen, lost = 0, 0, 0
    for _ in range(30):
        for _ in range(chance.choice([1, 10, 300])):
            burst = [b"%d %s" % (written + at, b"x" * chance.randrange(900)) for at in range(chance.randrange(1, 9))]
            written += len(burst)
            writer.received(burst, 1)
        got, missed = numbers(reader)
        assert got == list(range(seen + lost + missed, written)), "what is left is contiguous up to the end"
        seen, lost = seen + len(got), lost + missed
    assert seen + lost == written == reader.frames_written
    assert lost, "the reader was lapped"
    reader.close()
    writer.close()


OVERTAKING = (
    "import random, sys\n"
    "from pathlib import Path\n"
    "from tests.supervisor.recording.test_frames_reader import a_writer\n"
    "writer, chance, written = a_writer(Path(sys.argv[1])), random.Random(1), 0\n"
    "print('made', flush=True)\n"
    "while True:\n"
    "    frame = b'%d ' % written\n"
    "    writer.received([frame * chance.randrange(1, 200)], 1)\n"
    "    written += 1\n"
)


def test_nothing_is_read_wrong_while_the_writer_laps_the_reader(tmp_path: Path) -> None:
    with running(OVERTAKING, tmp_path) as child:
        reader = a_reader(tmp_path)
        expected = lost = seen = 0
        while seen < 3_000 or not lost:
            record = reader.next()
            if record is None:
                continue
            expected += reader.lost
            lost += reader.lost
            assert set(record.parts[0].split()) == {b"%d" % expected}
            expected += 1
            seen += 1
            if seen % 1000 == 0:
                behind = reader.frames_written
                while reader.frames_written < behind + 2000:
                    pass
        child.kill()
        child.wait()
    rest, missed = numbers(reader)
    assert expected + len(rest) + missed == reader.frames_written
    reader.close()


needs_compiled = pytest.mark.skipif(not FramesReader.takes_lines, reason="not compiled")


@needs_compiled
def test_no_line_is_wrong_while_the_writer_laps_the_reader(tmp_path: Path) -> None:
    lines = LineMemory(MemoryPool())
    with running(OVERTAKING, tmp_path) as child:
        reader = a_reader(tmp_path)
        expected = lost = seen = 0
        while seen < 1_000 or not lost:
            lines.take(reader, CAPACITY_MIN)
            with lines.plain() as plain:
                taken = [msgspec.json.decode(line)["raw"].split() for line in bytes(plain).splitlines()]
            lines.free()
            for frame in taken:
                assert set(frame) == {str(expected)}
                expected += 1
            seen += len(taken)
            record = reader.next()
            if record is None:
                continue
            expected += reader.lost + 1
            lost += reader.lost
            if seen >= 300 and not lost:
                behind = reader.frames_written
                while reader.frames_written < behind + 2000:
                    pass
        child.kill()
        child.wait()
    reader.close()


ESCAPED = st.text('"\\a€𝄞\x7f\x80\u07ff\u0800\ud7ff\ue000\n\t\r\b\f\0\x1f').map(str.encode)
SEQUENCES = st.lists(
    st.sampled_from([b"\xc2\x80", b"\xe0\xa0\x80", b"\xed\xa0", b"\xf0\x90\x80\x80", b"\xf4\x90", b"\x80", b"12345678"])
)


@needs_compiled
@given(
    st.lists(st.one_of(ESCAPED, st.binary(), SEQUENCES.map(b"".join)), min_size=1, max_size=5),
    st.integers(0, 2**63 - 1),
)
@example([bytes([first, second]) for first in (0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xF5) for second in (0x7F, 0x80)], 0)
@example([b"x" * 7 + bytes([each]) for each in range(256)], 1)
def test_compiled_lines_are_those_of_pure_python_or_left_to_it(frames: list[bytes], time_ns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = a_writer(Path(folder))
        for frame in frames:
            writer.received([frame], time_ns)
        writer.received(frames, time_ns)
        reader = a_reader(Path(folder))
        lines, pure = LineMemory(MemoryPool()), a_reader(Path(folder))
        while (record := pure.next()) is not None:
            expected, before = received_lines(record), reader.position
            lines.take(reader, 1)
            with lines.plain() as plain:
                found = bytes(plain)
            lines.free()
            if reader.position == before:
                assert expected is None or is_rare(record)
                reader.next()
            else:
                assert found == expected
            assert (reader.position, reader.frames) == (pure.position, pure.frames)
        assert lines.take(reader, 1).lines == 0
        for each in (writer, reader, pure):
            each.close()


def is_rare(record: FramesRecord) -> bool:
    """Whether a frame has control characters that have no letter of their own."""
    return any(byte < 0x20 and byte not in b"\b\t\n\f\r" for part in record.parts for byte in part)


@needs_compiled
def test_lines_end_where_the_memory_or_the_limit_does(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    for number in range(10):
        writer.received([b"%d" % number], 7 + number)
    writer.sent("ping", 99)
    reader, memory = a_reader(tmp_path), mmap.mmap(-1, 4096)
    used, lines, first_ns, last_ns, latest_ns = reader.take_lines(memory, 0, 50)
    assert memory[:used] == b"".join(b'{"t":%d,"dir":"in","raw":"%d"}\n' % (7 + each, each) for each in range(2))
    assert (lines, first_ns, last_ns, latest_ns) == (2, 7, 8, 8)
    assert reader.take_lines(memory, 4090, 5000) == (4090, 0, 0, 0, 0), "no room"
    assert reader.take_lines(memory, 0, 4096).lines == 8, "not what was sent"
    assert reader.take_lines(memory, 0, 4096).lines == 0
    record = reader.next()
    assert record is not None
    assert (record.kind, reader.lost) == (Kind.SENT, 0)
    with pytest.raises(ValueError, match="larger"):
        reader.take_lines(memory, 5000, 6000)
    reader.close()
    writer.close()


def test_a_damaged_record_is_passed_over_and_counted(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    for number in range(4):
        writer.received([b"%d" % number], 1)
    with open(writer.path, "r+b") as file:
        file.seek(HEADER_BYTES + 56 + 8)
        file.write(b"\xff" * 20)
    reader = a_reader(tmp_path)
    assert numbers(reader) == ([0, 2, 3], 1)
    reader.close()
    writer.close()


def test_a_worker_that_is_killed_leaves_what_it_wrote(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.supervisor.recording.test_frames_reader import a_writer\n"
        "writer = a_writer(Path(sys.argv[1]))\n"
        "writer.write_address('wss://example')\n"
        "writer.received([b'1', b'2'], 5)\n"
        "print('written', flush=True)\n"
        "time.sleep(600)\n"
    )
    with running(program, tmp_path) as child:
        reader = a_reader(tmp_path)
        assert not reader.is_ended()
        child.kill()
        child.wait()
        assert reader.is_ended()
        assert reader.is_ended(), "and it can be asked again"
        assert reader.address == "wss://example"
        assert numbers(reader) == ([1, 2], 0)
        reader.close()


def test_what_is_no_ring_of_the_worker_is_refused(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    folder = tmp_path / "frames"
    with pytest.raises(FileNotFoundError):
        FramesReader.open(str(folder), "c.a", 2)
    os.link(folder / "frames-c.a-1", folder / "frames-c.a-2")
    with pytest.raises(MalformedMessage, match="belongs to"):
        FramesReader.open(str(folder), "c.a", 2)
    os.truncate(folder / "frames-c.a-1", HEADER_BYTES + 8)
    with pytest.raises(MalformedMessage, match="size"):
        a_reader(tmp_path)
    os.symlink("/dev/null", folder / "frames-c.a-3")
    with pytest.raises(OSError, match=r"symbolic|loop|links"):
        FramesReader.open(str(folder), "c.a", 3)
    writer.close()


@pytest.mark.parametrize("offset", [40, 44], ids=["parts", "frames"])
def test_a_record_with_other_parts_than_its_kind_has_is_passed_over(tmp_path: Path, offset: int) -> None:
    writer = a_writer(tmp_path)
    writer.answered("adapter", "https://x", 200, b"{}", 1)
    writer.received([b"1", b"2"], 1)
    at = HEADER_BYTES + frames_layout.record_size(3, 18)
    with open(writer.path, "r+b") as file:
        for record in (HEADER_BYTES, at):
            file.seek(record + offset - 4)
            file.write(b"\x04")
    writer.received([b"3"], 1)
    reader = a_reader(tmp_path)
    assert numbers(reader) == ([3], 3)
    reader.close()
    writer.close()


@pytest.mark.parametrize("word", [FramesWord.HEAD, FramesWord.RESERVED])
def test_a_damaged_position_does_not_stop_the_reader(tmp_path: Path, word: FramesWord) -> None:
    writer = a_writer(tmp_path)
    writer.received([b"1"], 1)
    with open(writer.path, "r+b") as file:
        file.seek(8 * word)
        file.write(b"\xff" * 8)
    reader = a_reader(tmp_path)
    for _ in range(3):
        reader.next()
    if reader.takes_lines:
        LineMemory(MemoryPool()).take(reader, 1000)
    reader.close()
    writer.close()
