"""What the supervisor sends to the engine: states of workers, fences, log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from foxtrot_protocol.commands import Fenced, Logged, ToChild, WorkerChanged, WorkersStarted
from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.targets import ENGINE

__all__ = ["WORKERS_PER_MESSAGE", "EngineLink"]

WORKERS_PER_MESSAGE = 1000
"""Workers announced to the engine in one message: a name may have 200 bytes."""


class EngineLink:
    """Sends to the engine of the moment, be it a child or the embedding application.

    Args:
        records: the core's records by name.
        send: sends a command to an incarnation of a child; returns whether it could be sent.
    """

    def __init__(self, records: Mapping[str, ChildRecord], send: Callable[[str, int, ToChild], bool]) -> None:
        self._records = records
        self._send = send
        self.started_workers: dict[str, int] = {}
        """Latest incarnation of every worker started in this run: the engine reads the rings of no others."""

    def send(self, command: ToChild) -> None:
        """Send `command`; lost while no engine is connected. `brief` makes up for states and fences."""
        engine = self._records.get(ENGINE)
        if engine is not None and engine.may_live:
            self._send(ENGINE, engine.incarnation, command)

    def worker_started(self, name: str, incarnation: int) -> None:
        """Announce a worker whose process is about to be created."""
        self.started_workers[name] = incarnation
        self.send(WorkersStarted({name: incarnation}))

    def fence(self, name: str, incarnation: int) -> None:
        """Tell the engine that incarnations of `name` up to this one are dead."""
        self.send(Fenced(name, incarnation))

    def publish(self, status: WorkerStatus) -> None:
        """Send the state of a child."""
        self.send(
            WorkerChanged(
                status.worker,
                status.incarnation,
                status.state,
                status.cause,
                status.exit_code,
                status.signal,
                status.rung,
                status.restarts,
            )
        )

    def log(self, level: str, event: str, fields: Mapping[str, str]) -> None:
        """Send a log line, for an application that is the engine."""
        rest = {key: value for key, value in fields.items() if key != "worker"}
        self.send(Logged(fields.get("worker", "supervisor"), level, event, rest))

    def brief(self, workers: Iterable[str], last_incarnation: Callable[[str], int]) -> None:
        """Tell a new engine which workers were started, which incarnations of `workers` are dead, and their states.

        `last_incarnation` returns the last one of a worker that has no record any more, 0 if there was none.
        """
        started = list(self.started_workers.items())
        while len(started) > WORKERS_PER_MESSAGE:
            self.send(WorkersStarted(dict(started[:WORKERS_PER_MESSAGE]), more=True))
            del started[:WORKERS_PER_MESSAGE]
        self.send(WorkersStarted(dict(started)))
        for name in workers:
            record = self._records.get(name)
            if record is None:
                gone = last_incarnation(name)
                if gone > 0:
                    self.fence(name, gone)
                continue
            dead = record.incarnation - 1 if record.may_live else record.incarnation
            if dead > 0:
                self.fence(name, dead)
            self.publish(_status_of(record))


def _status_of(record: ChildRecord) -> WorkerStatus:
    death = record.last_exit if not record.may_live else None
    return WorkerStatus(
        worker=record.name,
        incarnation=record.incarnation,
        state=record.state.value,
        cause=record.cause,
        exit_code=death.code if death is not None else None,
        signal=death.signal if death is not None else None,
        rung=record.rung,
        restarts=record.restarts_total,
    )
