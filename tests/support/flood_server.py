"""A server that accepts a WebSocket and then sends the same bytes as fast as they are taken."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator

__all__ = ["flood_server"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK_BYTES = 512 * 1024


@contextlib.contextmanager
def flood_server(frame: bytes) -> Iterator[str]:
    """Serve one connection in a thread until the block ends; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    thread = threading.Thread(target=_serve, args=(listener, frame, ended), name="flood")
    thread.start()
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        # wakes a thread that still waits for a connection
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _serve(listener: socket.socket, frame: bytes, ended: threading.Event) -> None:
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.2)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            accept = base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + _GUID).digest())
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            chunk = frame * (_CHUNK_BYTES // len(frame))
            rest = memoryview(chunk)
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):  # the client does not take more now
                    rest = rest[connection.send(rest) :] or memoryview(chunk)
