"""A TCP proxy that passes nothing on while it is stalled: connections stay open, and every byte waits."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType

__all__ = ["StallingProxy"]


class StallingProxy:
    """Listens on a free port of the loopback address; use as a context manager."""

    def __init__(self, port: int) -> None:
        """`port`: of the server behind it."""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: dict[socket.socket, socket.socket] = {}
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        """Address of clients."""
        return f"nats://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> StallingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._open.set()
        self._thread.join(10.0)
        for end in (self._listener, *self._peers):
            end.close()

    def stall(self) -> None:
        """Pass nothing on, in either direction, and make no connection to the server."""
        self._open.clear()

    def resume(self) -> None:
        """Pass everything on, also what has waited."""
        self._open.set()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._ended:
                for key, _ in selector.select(0.05):
                    self._open.wait()
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    if end is self._listener:
                        self._connect(selector)
                    elif end in self._peers:
                        self._pass_on(end, selector)

    def _connect(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), 5.0)
        except OSError:
            client.close()
            return
        self._peers.update({client: server, server: client})
        selector.register(client, selectors.EVENT_READ)
        selector.register(server, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket, selector: selectors.BaseSelector) -> None:
        peer = self._peers[end]
        with contextlib.suppress(OSError):
            if data := end.recv(65_536):
                peer.sendall(data)
                return
        for each in (end, peer):
            selector.unregister(each)
            self._peers.pop(each)
            each.close()
