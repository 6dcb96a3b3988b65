"""Reading a frames ring while it is written: nothing twice, nothing wrong, and the exact number of frames lost."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.frames_layout import CAPACITY_MIN, HEADER_BYTES, FramesIdentity
from foxtrot_supervisor.recording.frames_reader import FramesReader
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


def test_nothing_is_read_wrong_while_the_writer_laps_the_reader(tmp_path: Path) -> None:
    program = (
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
    with running(program, tmp_path) as child:
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
