"""Reader of the engine's live event stream (``events.sock``): blocking.

Yields batches in the order of the stream and reports what happens to the stream itself. When the engine is replaced, it
connects to the new one; batches that the new engine repeats are left out.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from foxtrot_protocol.codec import BatchDecoder
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.framing import Batch
from foxtrot_supervisor.client.tap_decoder import Dropped, TapDecoder, TapRecord
from foxtrot_supervisor.client.trust import NotTrusted, check_peer

__all__ = ["ENGINE_WAIT_S", "RETRY_S", "SETTLED_S", "EngineAway", "EventStream", "follow", "is_running"]

RETRY_S = 0.05
"""Pause between two attempts to connect, in seconds."""

ENGINE_WAIT_S = 60.0
"""Longest time without an engine before a reader gives up, in seconds."""

SETTLED_S = 1.0
"""Seconds after which a connection counts as accepted, even if no event came."""

_CHUNK_BYTES = 256 * 1024


class EngineAway(Exception):
    """The supervisor runs, but its engine gives no events."""


class EventStream:
    """A connection to the engine of one run directory.

    Raises OSError where none listens, `NotTrusted` if another user's process does.
    """

    def __init__(self, run_dir: str, connect_s: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(connect_s)
        try:
            self._socket.connect(tap_path(run_dir))
            check_peer(self._socket, tap_path(run_dir))
        except (OSError, NotTrusted):
            self._socket.close()
            raise
        self._socket.settimeout(None)

    def records(self) -> Iterator[list[TapRecord]]:
        """Yield the received records, chunk by chunk, until the engine disconnects; raises `MalformedMessage`."""
        decoder = TapDecoder()
        while True:
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except ConnectionResetError:
                return
            if not data:
                return
            records = decoder.feed(data)
            if records:
                yield records

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_running(run_dir: str) -> bool:
    """Whether a supervisor listens to operators in `run_dir`; raises `NotTrusted` if it belongs to another user."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(operator_path(run_dir))
            check_peer(probe, operator_path(run_dir))
        except (BlockingIOError, TimeoutError):
            return True  # it listens, but is busy
        except OSError:
            return False
        return True


def follow(
    run_dir: str, decoder: BatchDecoder[Any], say: Callable[[str], None], *, engine_wait_s: float = ENGINE_WAIT_S
) -> Iterator[list[Batch[Any]]]:
    """Yield the batches of the run in `run_dir`, across restarts of its engine, until the run ends.

    `say` receives messages about the stream. Raises `EngineAway` if the engine stays away for
    `engine_wait_s` seconds, `MalformedMessage` if the stream cannot be read. The run must have been seen running.
    """
    seen: dict[str, tuple[int, int]] = {}
    served = False
    reason = ""
    deadline = time.monotonic() + engine_wait_s
    while time.monotonic() < deadline:
        try:
            stream = EventStream(run_dir)
        except OSError as error:
            if not is_running(run_dir):
                say("the run has ended")
                return
            reason = error.strerror or str(error)
            time.sleep(RETRY_S)
            continue
        connected, got = time.monotonic(), False
        with stream:
            for records in stream.records():
                if served and not got:
                    say("connected to the new engine")
                served = got = True
                batches = _new_batches(records, decoder, seen, say)
                if batches:
                    yield batches
        if got or time.monotonic() - connected > SETTLED_S:
            say("the engine has ended the stream")
            deadline = time.monotonic() + engine_wait_s
        reason = "it ends connections at once: too many readers"
        time.sleep(RETRY_S)
    raise EngineAway(f"the engine of the run in {run_dir} gives no events: {reason}")


def _new_batches(
    records: list[TapRecord], decoder: BatchDecoder[Any], seen: dict[str, tuple[int, int]], say: Callable[[str], None]
) -> list[Batch[Any]]:
    """Return the batches among `records` that were not yielded before; `seen` has the last position of each worker."""
    batches = []
    for record in records:
        if isinstance(record, Dropped):
            say(f"{record.batches} batches were dropped: this reader is too slow")
            continue
        batch = decoder.decode(record.data)
        position = (batch.incarnation, batch.sequence)
        if position > seen.get(batch.worker, (0, 0)):
            seen[batch.worker] = position
            batches.append(batch)
    return batches
