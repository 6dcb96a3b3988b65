"""A simulated exchange in a process of its own, and its controls."""

from __future__ import annotations

import http.client
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from foxtrot_supervisor.chaos.harness.bound import bound
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM, Trouble

__all__ = ["ExchangeProcess"]

SIMULATOR_S = 20.0
"""Time that the simulated exchange has to listen, or to end."""

EXCHANGE_S = 10.0
"""Time that the simulated exchange has to answer one request."""


class ExchangeProcess:
    """``foxtrot-supervisor simulate`` with these options; it listens once this is constructed.

    `url` and `rest_url` are its addresses. Raises `Trouble` if it does not start.
    """

    pids: ClassVar[set[int]] = set()
    """Process ids of all that run: no orphans."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        """`folder`: where its log goes."""
        with (folder / "simulate.log").open("wb") as log:
            command = bound([*PROGRAM, "simulate", "--json", *options])
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.pids.add(self._process.pid)
        try:
            self.url, self.rest_url = self._announced()
        except Trouble:
            self.close()
            raise

    def _announced(self) -> tuple[str, str]:
        out = self._process.stdout
        assert out is not None
        if not select.select([out], [], [], SIMULATOR_S)[0]:
            raise Trouble("the simulated exchange does not start")
        try:
            announced = msgspec.json.decode(out.readline())
        except msgspec.MsgspecError:
            raise Trouble("the simulated exchange does not start") from None
        return announced["url"], announced["rest_url"]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to its own controls; return the decoded answer. Raises `Trouble`."""
        address = self.rest_url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=EXCHANGE_S)
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body))
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise Trouble(f"the simulated exchange does not answer {path}: {error}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise Trouble(f"the simulated exchange refuses {path}: {text.decode(errors='replace')}")
        return msgspec.json.decode(text)

    def inject(self, kind: str, **fields: object) -> None:
        """Arm a fault, as documented in `foxtrot_workers.simulator.server.faults`."""
        self.ask("POST", "/sim/fault", {"kind": kind, **fields})

    def clear(self) -> None:
        """Disarm all faults."""
        self.ask("DELETE", "/sim/fault")

    def connections_total(self) -> int:
        """Return how many WebSocket connections it has accepted so far."""
        return int(self.ask("GET", "/sim/ledger")["opened_total"])

    def close(self) -> None:
        """End it, which completes its ledger; it is killed where it does not end."""
        self.pids.discard(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(SIMULATOR_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
