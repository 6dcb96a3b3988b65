"""systemd, played by a datagram socket: everything it was told, with the time at which it came."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from tests.support.waiting import wait_until

__all__ = ["ServiceManager"]


class ServiceManager:
    """A context manager; `environ` goes to the service. `watchdog_s` None: it wants no WATCHDOG."""

    def __init__(self, folder: Path, watchdog_s: float | None = None) -> None:
        self._path = folder / "notify"
        self.environ = {"NOTIFY_SOCKET": str(self._path)}
        if watchdog_s is not None:
            self.environ["WATCHDOG_USEC"] = str(int(watchdog_s * 1_000_000))
        self.told: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen)
        self._closing = False

    def __enter__(self) -> ServiceManager:
        self._socket.bind(str(self._path))
        self._socket.settimeout(0.05)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                self.told.append((time.monotonic(), self._socket.recv(4096).decode()))

    def all(self, word: str, since: float = 0.0) -> list[tuple[float, str]]:
        """What was told that holds ``word=``."""
        return [
            (at, text)
            for at, text in list(self.told)
            if at >= since and any(line.startswith(f"{word}=") for line in text.splitlines())
        ]

    def wait_for(self, word: str, limit_s: float = 15.0, since: float = 0.0) -> tuple[float, str]:
        """The first that holds ``word=``."""
        wait_until(lambda: self.all(word, since), limit_s, f"{word}= (told: {[text for _, text in self.told]})")
        return self.all(word, since)[0]

    def nothing(self, word: str, for_s: float) -> bool:
        """Whether for this long from now nothing comes that holds ``word=``."""
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since >= for_s, for_s + 5.0, "that time")
        return not self.all(word, since)
