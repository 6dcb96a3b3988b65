"""Calls the alert command: JSON on its standard input, a deadline, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from typing import Final

from foxtrot_supervisor.system import procfs

__all__ = ["OUTPUT_BYTES_MAX", "call_command"]

OUTPUT_BYTES_MAX: Final = 2048
"""Bytes of the command's output that a failure quotes; further ones are read and dropped."""

_CHUNK_BYTES: Final = 16 * 1024
_LOOKS_MAX: Final = 5
_END_S: Final = 2.0
"""Seconds for a killed command to be gone."""


async def call_command(command: str, payload: bytes, *, shell: bool, deadline_s: float) -> str:
    """Run `command` with `payload` on its standard input; return why it failed, "" if it did not.

    It has a session of its own. After `deadline_s` seconds every process of that session is killed.
    """
    words = ["/bin/sh", "-c", command] if shell else shlex.split(command)
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot be started: {getattr(error, 'strerror', None) or error}"
    assert process.stdin is not None
    assert process.stdout is not None
    output = bytearray()
    try:
        async with asyncio.timeout(deadline_s):
            _, _, code = await asyncio.gather(
                _feed(process.stdin, payload), _drain(process.stdout, output), process.wait()
            )
    except TimeoutError:
        return f"did not end within {deadline_s:g} s: it was killed"
    finally:
        await _end(process)
    if code == 0:
        return ""
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    said = output.decode("utf-8", "replace").strip()
    return f"{how}: {said}" if said else how


async def _feed(stdin: asyncio.StreamWriter, payload: bytes) -> None:
    """A command that does not read its input is none of our business."""
    with contextlib.suppress(OSError):
        stdin.write(payload)
        await stdin.drain()
    with contextlib.suppress(OSError):
        stdin.close()
        await stdin.wait_closed()


async def _drain(stdout: asyncio.StreamReader, output: bytearray) -> None:
    while chunk := await stdout.read(_CHUNK_BYTES):
        output += chunk[: OUTPUT_BYTES_MAX - len(output)]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the command's session. What has left the session is swept by the supervisor."""
    for _ in range(_LOOKS_MAX):
        members = [facts.pid for facts in procfs.processes() if facts.session == process.pid and not facts.zombie]
        if not members:
            break
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()  # its pipes, which a process outside of the session may hold open
