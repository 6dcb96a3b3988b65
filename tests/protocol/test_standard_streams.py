"""Standard streams: closed ones are opened, drained ones neither block nor fail, direct ones never raise."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_protocol.line_queue import QUEUE_LINES_MAX
from foxtrot_protocol.standard_streams import Drain
from tests.support.waiting import wait_until

LIMIT_S = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def run(code: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    """A Python process with these streams; its answer comes in the file "answer" of its working directory."""
    head = "from foxtrot_protocol import standard_streams as streams\nimport os, sys\n"
    return subprocess.run([sys.executable, "-c", head + code], timeout=LIMIT_S, check=False, **streams)  # type: ignore[call-overload, no-any-return]


def read_all(end: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(end, size - len(data))
    return data


def fill(end: int) -> int:
    os.set_blocking(end, False)
    size = 0
    try:
        while True:
            size += os.write(end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(end, True)
        return size


def test_a_blocked_pipe_holds_nobody_up_and_the_dropped_lines_are_reported(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    filled = fill(writer)
    drain = Drain(writer, lambda count: b"<%d>\n" % count)
    for number in range(QUEUE_LINES_MAX + 50):
        drain.put(b"%d\n" % number)
    assert drain.dropped_total == 50
    assert not drain.flush(0.01)
    read_all(reader, filled)
    expected = b"".join(b"%d\n" % number for number in range(QUEUE_LINES_MAX)) + b"<50>\n"
    assert read_all(reader, len(expected)) == expected
    assert drain.flush(LIMIT_S)
    assert drain.pending == 0


def test_the_writer_exists_only_while_there_is_something_to_write(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    drain = Drain(writer)
    drain.put(b"a\n")
    assert drain.flush(LIMIT_S)
    assert os.read(reader, 10) == b"a\n"
    assert drain._writer is None


def test_a_dead_reader_and_a_full_disk_cost_lines_only(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for descriptor in (writer, full.fileno()):
            drain = Drain(descriptor)
            for _ in range(10):
                drain.put(b"x\n")
            assert drain.flush(LIMIT_S)
            assert drain.dropped_total == 10


def test_when_a_disk_has_room_again_the_lines_that_are_missing_are_reported(tmp_path: Path) -> None:
    # a file that may have 8 bytes: the second line is broken off in its middle
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
drain = streams.Drain(log, lambda count: b"<%d>\\n" % count)
drain.put(b"one\\n"); assert drain.flush(10)
resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
drain.put(b"two-two\\n"); assert drain.flush(10)
drain.put(b"three\\n"); assert drain.flush(10)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
drain.put(b"four\\n"); assert drain.flush(10)
assert drain.dropped_total == 2
"""
    assert run(code, cwd=tmp_path).returncode == 0
    assert (tmp_path / "log").read_bytes() == b"one\ntwo-\n<2>\nfour\n"


def test_a_print_waits_for_a_slow_reader_and_only_once_for_a_dead_one(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    filled = fill(writer)
    drain = Drain(writer)
    for _ in range(QUEUE_LINES_MAX):
        drain.put(b"y\n")
    begun = time.monotonic()
    drain.put(b"dropped\n", 0.2)
    waited = time.monotonic() - begun
    for _ in range(50):
        drain.put(b"dropped\n", 60.0)  # 50 minutes, if it waited
    assert waited >= 0.2
    assert drain.dropped_total == 51
    read_all(reader, filled)  # it reads again
    wait_until(lambda: not drain._stalled, LIMIT_S, "something to be written")
    slow = threading.Thread(target=lambda: [drain.put(b"z\n", 60.0) for _ in range(QUEUE_LINES_MAX)])
    slow.start()
    data = b""
    while data.count(b"z") < QUEUE_LINES_MAX:
        data += os.read(reader, 4096)
    slow.join()
    assert drain.dropped_total == 51


def test_without_a_thread_it_writes_what_it_can(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reader, writer = pipe
    drain = Drain(writer)
    drain.put(b"a\n")
    assert os.read(reader, 10) == b"a\n"
    fill(writer)
    drain.put(b"b\n")
    assert drain.pending == 1


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_closed_descriptors_are_the_null_device_and_text_streams_are_there(
    closed: tuple[int, ...], tmp_path: Path
) -> None:
    code = f"""
import subprocess, sys
code = '''
from foxtrot_protocol import standard_streams as streams
import os, sys
streams.open_missing()
streams.drain("stderr"); streams.direct("stdout")
print("out"); print("err", file=sys.stderr)
assert streams.flush(10)
opened = os.open("answer", os.O_WRONLY | os.O_CREAT)
assert opened > 2, opened
os.write(opened, repr([os.path.samestat(os.fstat(n), os.stat(os.devnull)) for n in {closed!r}]).encode())
'''
def close():
    import os
    for number in {closed!r}: os.close(number)
subprocess.run([sys.executable, "-c", code], preexec_fn=close, close_fds=False, check=True)
"""
    assert run(code, cwd=tmp_path, capture_output=True).returncode == 0
    assert (tmp_path / "answer").read_text() == repr([True] * len(closed))


def test_a_drained_process_ends_in_time_with_its_own_code_though_nobody_reads(pipe: tuple[int, int]) -> None:
    code = """
streams.drain("stdout"); streams.drain("stderr")
for number in range(30_000): print(number, "x" * 50); print(number, file=sys.stderr)
assert not streams.flush(0.05)
assert streams.dropped_total() > 0 and streams.pending("stderr")
sys.exit(7)
"""
    assert run(code, stdout=pipe[1], stderr=pipe[1]).returncode == 7


def test_no_thread_is_started_while_the_interpreter_ends(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("its start would not return"))
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    Drain(pipe[1]).put(b"Task was destroyed but it is pending\n")
    assert os.read(pipe[0], 100) == b"Task was destroyed but it is pending\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_text_can_be_printed_in_every_encoding(encoding: str) -> None:
    code = """
streams.drain("stderr"); streams.direct("stdout")
text = "K\\u00f6ln \\u20ac \\udcff"
print(text); print(text, file=sys.stderr)
streams.flush(10)
"""
    done = run(code, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding})
    expected = "K\u00f6ln \u20ac \udcff\n".encode(encoding, "backslashreplace")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, expected)


def test_a_direct_stream_keeps_its_first_error_and_the_exit_code(tmp_path: Path) -> None:
    code = """
streams.direct("stdout")
print("x"); print("y")
sys.exit(0 if streams.output_error().errno == 28 else 1)
"""
    with open("/dev/full", "wb") as full:
        done = run(code, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stream_that_is_somebody_elses_stays() -> None:
    code = """
import io
mine = sys.stdout = sys.stderr = io.StringIO()
streams.drain("stdout"); streams.direct("stdout"); streams.drain("stderr")
assert sys.stdout is mine and sys.stderr is mine
streams.LogFile().write("line\\n")
assert mine.getvalue() == "line\\n"
sys.stderr = None
streams.LogFile().write("line\\n")
"""
    assert run(code).returncode == 0


def test_a_forked_copy_writes_none_of_its_parents_lines(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    code = """
import signal
streams.drain("stderr")
for number in range(30_000): sys.stderr.write("parent " + "p" * 100 + "\\n")
child = os.fork()
if child == 0:
    signal.alarm(20)
    assert not streams.pending("stderr")
    os._exit(5)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code, stderr=writer).returncode == 5
