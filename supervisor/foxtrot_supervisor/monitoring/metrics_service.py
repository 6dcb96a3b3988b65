"""Start target of the service that serves metrics and health by HTTP (`[metrics]`)."""

from __future__ import annotations

import asyncio
import importlib
import socket

from msgspec import structs

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import MetricsSettings, decode_settings
from foxtrot_supervisor.config.values import split_address
from foxtrot_supervisor.monitoring.access import TOKEN_CHARS_MAX, TOKEN_CHARS_MIN, Access, hosts_of
from foxtrot_supervisor.monitoring.http_server import HttpServer, ServerCounts, listen
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret

__all__ = ["NEEDS_EXTRA", "run"]

NEEDS_EXTRA = "[metrics] listen needs prometheus-client: pip install 'foxtrot-supervisor[metrics]'"


async def run(context: ChildContext) -> int:
    """Serve until stopped; READY names the address."""
    settings = decode_settings(context.spec.settings, MetricsSettings)
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    try:
        pages = importlib.import_module("foxtrot_supervisor.monitoring.pages")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "prometheus_client":
            raise
        context.log.error("metrics_unusable", reason=NEEDS_EXTRA)
        context.failed(NEEDS_EXTRA)
        return ChildExit.CONFIGURATION
    host, port = split_address(settings.listen)
    try:
        token = None
        if settings.token_file is not None:
            token = read_secret(settings.token_file, least=TOKEN_CHARS_MIN, most=TOKEN_CHARS_MAX)
        listener = listen(host, port)
    except SecretRefused as refusal:
        context.log.error("metrics_unusable", reason=str(refusal))
        context.failed(str(refusal))
        return ChildExit.CONFIGURATION
    except OSError as error:
        reason = f"cannot listen at {settings.listen}: {error.strerror or error}"
        context.log.error("metrics_unusable", reason=reason)
        context.failed(reason)
        return ChildExit.CONNECTION_LOST
    actual = listener.getsockname()[1]
    status = pages.StatusReader(context.spec.run_dir)
    counts = ServerCounts()
    made = pages.MetricsPages(status, lambda: structs.asdict(counts))
    server = HttpServer(made.respond, Access(hosts_of(host, actual), token), counts)
    try:
        await server.start(listener)
        context.ready({"url": f"http://{_written(host, listener)}:{actual}"})
        await stopped.wait()
    finally:
        await server.close()
        status.close()
    return ChildExit.CLEAN


def _written(host: str, listener: socket.socket) -> str:
    return f"[{host}]" if listener.family == socket.AF_INET6 and ":" in host else host
