"""Marks of rings survive their encoding: they are stored in the spool."""

from __future__ import annotations

import msgspec

from foxtrot_supervisor.sinks.ring_marks import RingMark


def test_marks_survive_encoding() -> None:
    mark = RingMark("sim.a", 2, 4096, 17, 30, 1, 0, 5, 2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(mark), type=RingMark) == mark
