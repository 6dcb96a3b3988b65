"""The command line called in the test's own process, and a stand-in for the supervisor that it asks."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.endpoints import operator_path
from foxtrot_supervisor.cli import main as cli

__all__ = ["FakeSupervisor", "Run"]


class Run:
    """Calls the command line as its entry point does; keeps what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["foxtrot-supervisor", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        self.out, self.err = self._capfd.readouterr()
        assert "Traceback" not in self.out + self.err
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class FakeSupervisor:
    """Answers each request by `answer`; listens in `run_dir` until closed, or until it has answered a stop."""

    def __init__(self, run_dir: Path, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        run_dir.mkdir(exist_ok=True)
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        self._path = operator_path(str(run_dir))
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self._path)
        self._server.listen(16)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        Path(self._path).unlink(missing_ok=True)
        # wakes accept(); fails where the thread has closed it already
        if self._server.fileno() != -1:
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with self._server:
            while True:
                try:
                    connection, _ = self._server.accept()
                except OSError:
                    return
                with connection, connection.makefile("rwb") as stream:
                    line = stream.readline()
                    if not line:
                        continue
                    request = json.loads(line)
                    self.requests.append(request)
                    reply = self._answer(request)
                    if reply is not None:
                        stream.write(json.dumps(reply).encode() + b"\n")
                if request["type"] == "stop":
                    Path(self._path).unlink()
                    return
