"""Start target of the service that calls the alert command and the webhook (`[alerts]`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Heartbeat, Stop, ToChild
from foxtrot_protocol.control import IncidentsRequest, Request, StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import AlertSettings, decode_settings
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted
from foxtrot_supervisor.monitoring.alert_command import call_command
from foxtrot_supervisor.monitoring.webhook import URL_CHARS_MAX, URL_CHARS_MIN, Webhook, post, webhook_of
from foxtrot_supervisor.report.alerts import BROKEN_SHOWN, Edges, Pacer, Payload
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret

__all__ = ["ANSWER_S", "LOOK_S", "run"]

LOOK_S: Final = 0.5
"""Seconds between two looks at the run."""

ANSWER_S: Final = 5.0
"""Longest wait for an answer of the supervisor."""

REPLACED_S: Final = 30.0
"""A service that takes the place of one that has died reports incidents of so many seconds before."""

PROBLEM_CHARS_MAX: Final = 300
"""Characters of the problem that the status shows."""


async def run(context: ChildContext) -> int:
    """Watch the run and call until stopped."""
    settings = decode_settings(context.spec.settings, AlertSettings)
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    webhook: Webhook | None = None
    if settings.webhook_file is not None:
        try:
            webhook = webhook_of(read_secret(settings.webhook_file, least=URL_CHARS_MIN, most=URL_CHARS_MAX))
        except (SecretRefused, ValueError) as refusal:
            reason = str(refusal) if isinstance(refusal, SecretRefused) else f"{settings.webhook_file}: {refusal}"
            context.log.error("alerts_unusable", reason=reason)
            context.failed(reason)
            return ChildExit.CONFIGURATION
    calls = _Calls(settings, webhook, context)
    context.heartbeat_from(calls.fill)
    watching = asyncio.create_task(_watch(context, settings, calls), name="alerts")
    context.ready()
    waiting = asyncio.create_task(stopped.wait(), name="stop")
    await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
    ended = watching.done()
    for task in (watching, waiting):
        task.cancel()
    await calls.close()
    await asyncio.gather(watching, waiting, return_exceptions=True)
    if ended:
        watching.result()  # raises why
    return ChildExit.CLEAN


class _Calls:
    """Calls the command and the webhook at the same time, one round after the other; counts what fails."""

    def __init__(self, settings: AlertSettings, webhook: Webhook | None, context: ChildContext) -> None:
        self._settings = settings
        self._webhook = webhook
        self._context = context
        self._task: asyncio.Task[None] | None = None
        self._counts = {"calls_total": 0, "failures_total": 0}
        self._problem = ""

    @property
    def busy(self) -> bool:
        """Whether a call has not ended."""
        return self._task is not None and not self._task.done()

    def begin(self, payload: bytes) -> None:
        """Begin to call; none may be under way."""
        self._task = asyncio.create_task(self._call(payload), name="alert-calls")

    async def close(self) -> None:
        """End the call that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with counts and the problem of the latest calls."""
        return msgspec.structs.replace(heartbeat, counts=dict(self._counts), problem=self._problem)

    async def _call(self, payload: bytes) -> None:
        settings = self._settings
        calls: dict[str, Coroutine[Any, Any, str]] = {}
        if settings.command is not None:
            calls["command"] = call_command(
                settings.command, payload, shell=settings.shell, deadline_s=settings.deadline_s
            )
        if self._webhook is not None:
            calls["webhook"] = post(self._webhook, payload, settings.deadline_s)
        reasons = await asyncio.gather(*calls.values())
        failed = [f"{name} {reason}" for name, reason in zip(calls, reasons, strict=True) if reason]
        self._counts["calls_total"] += len(calls)
        self._counts["failures_total"] += len(failed)
        self._problem = "; ".join(failed)[:PROBLEM_CHARS_MAX]
        for reason in failed:
            self._context.log.error("alert_failed", reason=reason)


async def _watch(context: ChildContext, settings: AlertSettings, calls: _Calls) -> None:
    edges, pacer = Edges(), Pacer(settings.calls_per_minute)
    client = AsyncControlClient(context.spec.run_dir)
    try:
        after = await _first_seq(client) if context.spec.incarnation > 1 else 0
        while True:
            started = time.monotonic()
            status = await _ask(client, StatusRequest())
            page = None if status is None else await _ask(client, IncidentsRequest(after))
            incidents = [] if page is None else page["incidents"]
            if incidents:
                after = incidents[-1]["seq"]
            pacer.add(edges.look(status, incidents, time.monotonic(), time.time()), time.monotonic())
            if not calls.busy and (due := pacer.take(time.monotonic())) is not None:
                broken = edges.broken()
                payload = Payload(
                    run_id=context.spec.run_id,
                    run_dir=context.spec.run_dir,
                    alerts=due[0],
                    omitted=due[1],
                    broken=broken[:BROKEN_SHOWN],
                    broken_total=len(broken),
                )
                calls.begin(msgspec.json.encode(payload) + b"\n")
            if page is None or not page["more"]:
                await asyncio.sleep(max(0.0, started + LOOK_S - time.monotonic()))
    finally:
        client.close()


async def _first_seq(client: AsyncControlClient) -> int:
    """Return the number after which incidents are new to a service that was replaced: those of the last seconds are."""
    since_ns = time.time_ns() - int(REPLACED_S * 1e9)
    after = 0
    while True:
        page = await _ask(client, IncidentsRequest(after))
        if page is None:
            return after
        for incident in page["incidents"]:
            if incident["at_ns"] >= since_ns:
                return after
            after = int(incident["seq"])
        if not page["more"]:
            return after


async def _ask(client: AsyncControlClient, request: Request) -> dict[str, Any] | None:
    """Return the supervisor's answer, None if it does not answer."""
    try:
        reply = await client.request(request, ANSWER_S)
    except (TimeoutError, NotRunning, NotTrusted, MalformedMessage):
        return None
    return None if reply.error else reply.data
