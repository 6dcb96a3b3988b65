"""Dispatches what children send: to the core as inputs, and to the parts that serve a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from foxtrot_protocol.commands import (
    Backfilled,
    BooksWanted,
    BudgetAsk,
    BudgetSpent,
    Done,
    Drained,
    Failed,
    ForHosts,
    FromChild,
    Heartbeat,
    Hello,
    HoleFound,
    Left,
    LogRecord,
    Ready,
    RemoteWorkers,
    RotateWanted,
    ToChild,
)
from foxtrot_supervisor.core.inputs import (
    FailureReported,
    HeartbeatReceived,
    HelloReceived,
    Input,
    ReadyReceived,
    RotationWanted,
)
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.services import LANDING, sink_of
from foxtrot_supervisor.core.targets import ENGINE, SIMULATOR
from foxtrot_supervisor.report.ring_accounts import RingAccounts
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.application_link import ApplicationLink
from foxtrot_supervisor.runtime.coordinator import Coordinator
from foxtrot_supervisor.runtime.deaths import DeathReports
from foxtrot_supervisor.runtime.engine_link import EngineLink
from foxtrot_supervisor.runtime.incident_watch import IncidentWatch
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.operator_requests import OperatorRequests
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["ChildMessages"]


class ChildMessages:
    """The way of each message.

    Args:
        active: the configuration in force.
        records: the core's records by name.
        send: sends a command to an incarnation of a child; returns whether it could be sent.
        engine: the link to the engine.
        vitals: by child name; every name of a living child can be looked up.
        put: takes inputs for the core.
        brief: sends a new engine, or sink, what it has to know of workers.
        incidents: finds what is wrong in heartbeats.
        coordinator: serves holes, books and rate limits.
        deaths: is told who has sent a reason.
        requests: operators' requests that workers answer.
        rings: accounts of drained rings.
        application: the engine of the run, if that is an application.
        logs: of the run.
    """

    def __init__(
        self,
        active: ActiveConfig,
        vitals: Mapping[str, Vitals],
        *,
        records: Mapping[str, ChildRecord],
        send: Callable[[str, int, ToChild], bool],
        engine: EngineLink,
        put: Callable[[Input], None],
        brief: Callable[[str], None],
        coordinator: Coordinator,
        incidents: IncidentWatch,
        deaths: DeathReports,
        requests: OperatorRequests,
        rings: RingAccounts,
        application: ApplicationLink | None,
        logs: Logs,
    ) -> None:
        self._active = active
        self._records = records
        self._send = send
        self._engine = engine
        self._vitals = vitals
        self._put = put
        self._brief = brief
        self._coordinator = coordinator
        self._incidents = incidents
        self._deaths = deaths
        self._requests = requests
        self._rings = rings
        self._application = application
        self._logs = logs

    def take(self, name: str, incarnation: int, message: FromChild) -> None:
        """Dispatch a message of the living child `name`. What only the engine may send is dropped from others."""
        match message:
            case Heartbeat():
                vitals = self._vitals[name]
                self._incidents.heartbeat(name, vitals.latest, message)
                vitals.heartbeat(message, time.monotonic())
                self._put(_heartbeat_input(message))
                self._coordinator.compare_with_twin(name, message)
            case Hello():
                self._put(HelloReceived(name, incarnation))
                if name == ENGINE or sink_of(name) is not None:
                    self._brief(name)
            case Ready():
                self._vitals[name].info = message.info
                if name == SIMULATOR and name not in self._active.specs.places:
                    self._active.specs.simulator_serves(message.info)
                self._put(ReadyReceived(name, incarnation))
            case Failed():
                self._put(FailureReported(name, incarnation, message.cause, message.retry_after_s))
                self._deaths.explained(name, incarnation)
            case Done():
                self._requests.done(name, message)
            case Drained() if name == ENGINE:
                self._rings.drained(message)
            case HoleFound() if name == ENGINE:
                self._coordinator.take_hole(message)
                self._tell_landing(message)
            case BooksWanted() if name == ENGINE:
                self._coordinator.request_books(message)
                self._tell_landing(message)
            case RemoteWorkers() if name == LANDING:
                if self._engine.take_remote(message):
                    self._brief(ENGINE)
            case Backfilled():
                self._coordinator.take_backfilled(name, incarnation, message)
            case RotateWanted():
                self._put(RotationWanted(name, incarnation, message.reason))
            case BudgetAsk():
                self._coordinator.acquire(name, incarnation, message)
            case BudgetSpent():
                self._coordinator.close_rate_limit(message)
            case Left() if name == ENGINE and self._application is not None:
                self._application.detached()
            case LogRecord():
                self._logs.relay(name, incarnation, message, about_others=name == ENGINE)
            case _:
                pass

    def _tell_landing(self, request: HoleFound | BooksWanted) -> None:
        """Hand a request of the engine on to the hosts of its workers, if these are elsewhere."""
        landing = self._records.get(LANDING)
        if landing is not None and landing.may_live:
            self._send(LANDING, landing.incarnation, ForHosts(request))


def _heartbeat_input(beat: Heartbeat) -> HeartbeatReceived:
    states = [topic.state for topic in beat.topics]
    return HeartbeatReceived(
        beat.worker, beat.incarnation, beat.last_data_age_s, states.count("asked"), states.count("flowing")
    )
