"""Client of the operator interface: blocking, one request at a time.

Raises `NotRunning` where no supervisor listens, `NotTrusted` where another user's process does, `MalformedMessage` for
an answer that is no reply, TimeoutError if the supervisor does not answer in time. Control characters in replies are
escaped.
"""

from __future__ import annotations

import contextlib
import socket
import time
from types import TracebackType

from foxtrot_protocol.control import LINE_BYTES_MAX, Reply, Request, encode_line
from foxtrot_protocol.endpoints import operator_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.answers import read_reply
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted, check_peer

__all__ = ["ControlClient", "NotRunning", "NotTrusted"]

_CHUNK_BYTES = 64 * 1024


class ControlClient:
    """A connection to the supervisor of one run directory; use it as a context manager."""

    def __init__(self, run_dir: str, connect_s: float = 5.0) -> None:
        self._path = operator_path(run_dir)
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(connect_s)
        try:
            self._socket.connect(self._path)
            check_peer(self._socket, self._path)
        except OSError as error:
            self._socket.close()
            raise NotRunning(self._path, error.strerror or str(error)) from None
        except NotTrusted:
            self._socket.close()
            raise

    def request(self, request: Request, timeout_s: float | None = None) -> Reply:
        """Send `request` and wait for its reply, at most `timeout_s` seconds (None: unlimited)."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._set_timeout(deadline)
        # a supervisor that refuses the connection sends the reason before it closes: read it
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(encode_line(request))
        return read_reply(self._read_line(deadline))

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_line(self, deadline: float | None) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES_MAX:
                raise MalformedMessage(f"reply longer than {LINE_BYTES_MAX} bytes")
            self._set_timeout(deadline)
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise NotRunning(self._path, "it ended without an answer")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _set_timeout(self, deadline: float | None) -> None:
        # 1 ms at least: 0 would mean non-blocking
        self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
