"""What the supervisor sends to the engine, states of workers, fences, log lines; and of that, to sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from foxtrot_protocol.commands import Fenced, Logged, RemoteWorkers, ToChild, WorkerChanged, WorkersStarted
from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.services import sink_of
from foxtrot_supervisor.core.targets import ENGINE

__all__ = ["WORKERS_PER_MESSAGE", "EngineLink"]

WORKERS_PER_MESSAGE = 1000
"""Workers announced to the engine in one message: a name may have 200 bytes."""


class EngineLink:
    """Sends to the engine of the moment, be it a child or the embedding application.

    Args:
        records: the core's records by name.
        send: sends a command to an incarnation of a child; returns whether it could be sent.
        awaits_remote: whether an engine has to wait for what a service knows of workers on other hosts.
    """

    def __init__(
        self,
        records: Mapping[str, ChildRecord],
        send: Callable[[str, int, ToChild], bool],
        *,
        awaits_remote: bool = False,
    ) -> None:
        self._records = records
        self._send = send
        self._awaits_remote = awaits_remote
        self._remote_fenced: dict[str, int] = {}
        self.started_workers: dict[str, int] = {}
        """Latest incarnation of every worker started in this run: the engine reads the rings of no others."""

    def send(self, command: ToChild) -> None:
        """Send `command`; lost while no engine is connected. `brief` makes up for states and fences."""
        engine = self._records.get(ENGINE)
        if engine is not None and engine.may_live:
            self._send(ENGINE, engine.incarnation, command)

    def worker_started(self, name: str, incarnation: int) -> None:
        """Announce a worker whose process is about to be created to all that read its ring."""
        self.started_workers[name] = incarnation
        self._tell_readers(WorkersStarted({name: incarnation}))

    def take_remote(self, message: RemoteWorkers) -> bool:
        """Take what is known of workers on other hosts; whether an engine has waited for it, and is to be briefed."""
        waited, self._awaits_remote = self._awaits_remote, False
        for name, incarnation in message.started.items():
            if incarnation > self.started_workers.get(name, 0):
                self.started_workers[name] = incarnation
                if not waited:
                    self.send(WorkersStarted({name: incarnation}))
        for name, incarnation in message.fenced.items():
            self._remote_fenced[name] = max(incarnation, self._remote_fenced.get(name, 0))
            if not waited:
                self.fence(name, incarnation)
        return waited

    def fence(self, name: str, incarnation: int) -> None:
        """Tell all that read rings that incarnations of `name` up to this one are dead."""
        self._tell_readers(Fenced(name, incarnation))

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

    def brief(self, workers: Iterable[str], last_incarnation: Callable[[str], int], reader: str = ENGINE) -> None:
        """Tell a new reader which workers were started, which incarnations of `workers` are dead; an engine, states.

        `last_incarnation` returns the last one of a worker that has no record any more, 0 if there was none. `reader`:
        the engine, or the process of a sink.
        """
        living = self._records.get(reader)
        if self._awaits_remote or living is None or not living.may_live:
            return

        def send(command: ToChild) -> None:
            self._send(reader, living.incarnation, command)

        started = list(self.started_workers.items())
        while len(started) > WORKERS_PER_MESSAGE:
            send(WorkersStarted(dict(started[:WORKERS_PER_MESSAGE]), more=True))
            del started[:WORKERS_PER_MESSAGE]
        send(WorkersStarted(dict(started)))
        for name, incarnation in self._remote_fenced.items():
            send(Fenced(name, incarnation))
        for name in workers:
            record = self._records.get(name)
            if record is None:
                gone = last_incarnation(name)
                if gone > 0:
                    send(Fenced(name, gone))
                continue
            dead = record.incarnation - 1 if record.may_live else record.incarnation
            if dead > 0:
                send(Fenced(name, dead))
            if reader == ENGINE:
                self.publish(_status_of(record))

    def _tell_readers(self, command: ToChild) -> None:
        self.send(command)
        for name, record in self._records.items():
            if record.may_live and sink_of(name) is not None:
                self._send(name, record.incarnation, command)


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
