"""A server that accepts one WebSocket and then sends the same frames again and again."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator

__all__ = ["frame_server", "text_frame"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK_BYTES = 512 * 1024


@contextlib.contextmanager
def frame_server(frames: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """Serve one connection after the other in a thread until the block ends; yields the URL.

    `frames`: whole WebSocket frames, sent as fast as they are taken, or once each `pause_s` seconds.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    thread = threading.Thread(target=_serve, args=(listener, frames, pause_s, ended), name="frames")
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


def text_frame(text: str) -> bytes:
    """Return an unmasked text frame; `text` has at most 65,535 bytes."""
    data = text.encode()
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return b"\x81" + size + data


def _serve(listener: socket.socket, frames: bytes, pause_s: float, ended: threading.Event) -> None:
    chunk = frames if pause_s else frames * (_CHUNK_BYTES // len(frames))
    while not ended.is_set():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(0.2)
                _accept(connection)
                rest = memoryview(chunk)
                while not ended.wait(pause_s) if pause_s else not ended.is_set():
                    with contextlib.suppress(TimeoutError):  # the client does not take more now
                        rest = rest[connection.send(rest) :] or memoryview(chunk)


def _accept(connection: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError
        request += more
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + _GUID, usedforsecurity=False).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
