"""The queue of lines before a stream: bounded by count and bytes; every dropped line is reported once."""

from __future__ import annotations

import json

from foxtrot_protocol.line_queue import CHUNK_BYTES, LineQueue, dropped_line


def queue(lines_max: int = 3, bytes_max: int = 100) -> LineQueue:
    return LineQueue(lambda count: b"<%d dropped>\n" % count, lines_max, bytes_max)


def drained(lines: LineQueue) -> bytes:
    data = b""
    while piece := lines.take():
        data += piece
        lines.written()
    return data


def test_lines_come_out_in_order_and_whole() -> None:
    lines = queue()
    assert [lines.put(b"a\n"), lines.put(b"b\n")] == [True, True]
    assert lines.pending == 2
    assert drained(lines) == b"a\nb\n"
    assert lines.pending == 0


def test_lines_beyond_the_bounds_are_counted_and_reported_where_they_are_missing() -> None:
    lines = queue(lines_max=2)
    assert [lines.put(b"%d\n" % number) for number in range(5)] == [True, True, False, False, False]
    assert lines.dropped_total == 3
    assert drained(lines) == b"0\n1\n<3 dropped>\n"
    lines.put(b"5\n")
    assert drained(lines) == b"5\n"
    assert lines.dropped_total == 3


def test_bytes_are_bounded_too_in_flight_included() -> None:
    lines = queue(bytes_max=10)
    assert lines.put(b"x" * 8)
    assert lines.take() == b"x" * 8
    assert not lines.put(b"y" * 3)
    lines.written()
    assert lines.put(b"y" * 3)
    assert drained(lines) == b"<1 dropped>\nyyy"


def test_a_piece_is_at_most_what_a_pipe_takes_at_once() -> None:
    lines = queue(lines_max=1000, bytes_max=10**6)
    for _ in range(10):
        lines.put(b"x" * 999 + b"\n")
    assert len(lines.take()) == 4000 <= CHUNK_BYTES
    lines.written()
    lines.clear()
    lines.put(b"y" * 10_000)
    assert len(lines.take()) == 10_000


def test_what_cannot_be_written_is_lost_and_reported_before_the_next_line() -> None:
    lines = queue()
    for line in (b"a\n", b"b\n"):
        lines.put(line)
    lines.take()
    lines.put(b"c\n")
    lines.failed()
    assert lines.dropped_total == 3
    lines.put(b"d\n")
    assert lines.take() == b"<3 dropped>\nd\n"
    lines.failed()  # of these only `d` is newly lost
    assert lines.dropped_total == 4
    lines.put(b"e\n")
    assert drained(lines) == b"<4 dropped>\ne\n"


def test_a_dead_reader_costs_no_memory() -> None:
    lines = queue()
    for number in range(1000):
        lines.put(b"x\n")
        lines.take()
        lines.failed()
        assert lines.pending == 1, number
    assert lines.dropped_total == 1000


def test_dropped_lines_are_a_log_line_in_each_format() -> None:
    told = json.loads(dropped_line("json", 7, "now", {"worker": "a"}))
    assert told == {"event": "log_lines_dropped", "count": 7, "level": "warning", "timestamp": "now", "worker": "a"}
    text = dropped_line("console", 7, "now", {"worker": "a"})
    assert text.startswith(b"now warning log_lines_dropped")
    assert text.endswith(b"worker=a count=7\n")


def test_a_failure_with_nothing_to_write_leaves_no_gap() -> None:
    lines = queue()
    lines.failed()
    assert (lines.pending, lines.dropped_total, drained(lines)) == (0, 0, b"")
