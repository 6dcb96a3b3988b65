"""Damaged frames rings through both forms of the recorder: the compiled reader gives the lines of the pure one."""

from __future__ import annotations

import mmap
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from foxtrot_protocol.frames_layout import CAPACITY_MIN, HEADER_BYTES, FramesIdentity, FramesWord
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.line_memory import MemoryPool
from foxtrot_supervisor.recording.ring_session import RingSession
from foxtrot_workers.feed.frames_writer import FramesWriter
from tests.support.fuzzing import Broken, Target

__all__ = ["FRAMES", "FramesRing", "chunks_of"]

FRAMES = [
    b'{"e":"trade","p":"64000.10","b":"a\\"b\\\\","n":[1,2]}',
    '{"s":"€𝄞é\u2028","t":"\x7f"}'.encode(),
    b'{\n\t"pretty":\r\n1}',
    b"\x00\x1f\x08",
    b"",
    b"\xff\xfe not text \xc0\x80 \xed\xa0\x80",
    b"12345678",
    b"\xe2\x82",
]
"""Every kind of byte that a line must escape, or cannot have."""


def chunks_of(reader: FramesReader, bytes_max: int, *, takes_lines: bool) -> list[tuple[str, bytes]]:
    """Return header and lines of each chunk until nothing is left to read, in one form."""
    reader.takes_lines = takes_lines
    session = RingSession(reader, [], [], MemoryPool())
    chunks = []
    more = True
    while more:
        more = session.gather(bytes_max, 1.0)
        header, plain = session.chunk(lambda plain, _: bytes(plain), ended=not more)
        chunks.append((repr(header), plain))
        session.written()
        if len(chunks) > 10_000:
            raise Broken("reading does not get on")
    return chunks


class FramesRing(Target):
    """A frames ring with damage anywhere: both forms of the recorder give the same chunks."""

    name: ClassVar[str] = "frames_ring"
    share: ClassVar[float] = 0.1

    def __init__(self) -> None:
        self._identity = FramesIdentity(
            worker="c.a",
            incarnation=1,
            connection="c",
            side="a",
            exchange="sim",
            capacity=CAPACITY_MIN,
            recorded=True,
            started_ns=1,
        )
        folder = tempfile.mkdtemp(prefix="foxtrot-fuzz-")
        writer = FramesWriter(folder, self._identity)
        writer.write_address("wss://example")
        writer.received([b"first"], 1)
        for time_ns in range(2, 40):
            writer.received([FRAMES[0]] * (time_ns % 5) or FRAMES[:3], time_ns)
            writer.received(FRAMES[time_ns % len(FRAMES) :][: time_ns % 3 + 1], 2**40 - time_ns)
        writer.sent("ping", 50)
        writer.answered("adapter", "https://x", 200, b"{}", 51)
        writer.received(FRAMES[:3], 52)
        writer.close()
        self._file = Path(writer.path).read_bytes()
        shutil.rmtree(folder)
        words = memoryview(self._file)[:HEADER_BYTES].cast("Q")
        self._head = words[FramesWord.HEAD]
        self._map = mmap.mmap(-1, len(self._file))

    def samples(self) -> Sequence[bytes]:
        return [self._file[HEADER_BYTES : HEADER_BYTES + self._head]]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        data = data[:CAPACITY_MIN]
        self._map[:] = self._file[:HEADER_BYTES] + data + bytes(CAPACITY_MIN - len(data))
        if data != self.samples()[0] and chance.random() < 0.3:
            with memoryview(self._map) as mapped, mapped[:HEADER_BYTES].cast("Q") as words:
                word = FramesWord.RESERVED if chance.random() < 0.5 else FramesWord.HEAD
                words[word] = int(chance.random() * 2 ** (chance.random() * 64))
        bytes_max = int(chance.choice([1, 500, 4000, 100_000]))
        native, pure = (
            chunks_of(FramesReader(-1, self._map, self._identity, 0, 0), bytes_max, takes_lines=takes_lines)
            for takes_lines in (True, False)
        )
        if native != pure:
            raise Broken(f"chunks of {bytes_max} bytes differ:\n{native!r}\n{pure!r}")
        return "lost=[]" in native[0][0] and sum(plain.count(b"\n") for _, plain in native) > 100

    def close(self) -> None:
        self._map.close()
