"""Ends of processes are seen as the kernel reports them."""

from __future__ import annotations

import subprocess
import sys
import time

from foxtrot_supervisor.chaos.harness.process_ends import ProcessEnds


def test_each_end_has_its_time() -> None:
    command = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    with ProcessEnds([process.pid for process in processes]) as ends:
        assert not ends.wait(0.0)
        assert ends.last is None
        for count, process in enumerate(processes, 1):
            assert process.stdin is not None
            before = time.monotonic()
            process.stdin.close()
            assert ends.wait(30.0) is (count == 2)
            assert before <= ends.ended[process.pid] <= time.monotonic()
        assert ends.last == ends.ended[processes[1].pid]
    for process in processes:
        process.wait()
    with ProcessEnds([processes[0].pid]) as ends:
        assert ends.wait(0.0)
        assert ends.last is not None
