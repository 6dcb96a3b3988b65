"""The sink that publishes rows to a JetStream stream, each row once by its key."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from msgspec import Struct

from foxtrot_supervisor.sinks.nats.publisher import Publisher
from foxtrot_supervisor.sinks.nats.read_back import stored_ids
from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.nats.stream_checks import StreamFacts, differences, stream_problems, wanted_subject
from foxtrot_supervisor.sinks.nats.subjects import is_prefix, is_stream_name, message_id
from foxtrot_supervisor.sinks.sink import SinkContext, SinkMisconfigured, SinkRefuses, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.stores.access import (
    access_problems,
    password_of,
    plain_text_problem,
    tls_context,
)
from foxtrot_supervisor.sinks.stores.address import StoreAddress, parse_address
from foxtrot_supervisor.sinks.stores.kept import KeptNumber
from foxtrot_supervisor.sinks.stores.library import is_installed, load_library
from foxtrot_supervisor.system.ending import insistent_timeout
from foxtrot_supervisor.system.nats_seed import seed_problem
from foxtrot_supervisor.system.secret_file import SecretRefused, open_secret, read_secret_lines

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

__all__ = ["NatsSink"]

CLOSE_S: Final = 2.0

WINDOW_SHARE: Final = 0.9
"""Part of the duplicate window after which it is no longer relied on."""

REASON_CHARS_MAX: Final = 300

CREDENTIALS_BYTES_MAX: Final = 64 * 1024

NEEDS: Final = "needs nats-py: pip install 'foxtrot-supervisor[nats]'"

_TOO_LITTLE: Final = frozenset({10023, 10028, 10047})
"""Error codes: insufficient resources, resource limits of the account exceeded, insufficient storage."""

_SCHEMES: Final = {"nats": False, "tls": True}
_PORT: Final = 4222


class NatsSink:
    """Publishes each row with its key as ``Nats-Msg-Id`` and waits for the acknowledgement.

    What `write` returns is in the stream.
    """

    settings: ClassVar[type[Struct]] = NatsSettings

    def __init__(self, settings: NatsSettings, context: SinkContext) -> None:
        self._settings = settings
        self._context = context
        self._addresses = [parse_address(server, _SCHEMES, _PORT) for server in settings.servers]
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        self._publisher: Publisher | None = None
        self._window_s = 0.0
        self._sent = KeptNumber(Path(context.directory) / "nats-sent")
        """The highest row number that was ever sent: rows beyond it are surely not in the stream."""
        self._durable = 0
        self._counts = {
            "rows_total": 0,
            "duplicates_total": 0,
            "refused_total": 0,
            "read_back_total": 0,
            "unverified_total": 0,
        }

    @staticmethod
    def problems(settings: Struct) -> Sequence[tuple[str, str]]:
        """Return key and reason of each mistake in the settings."""
        assert isinstance(settings, NatsSettings)
        found = access_problems(settings)
        if not is_installed("nats"):
            found.append(("kind", NEEDS))
        if not settings.servers:
            found.append(("servers", "must name at least one server"))
        for server in settings.servers:
            try:
                address = parse_address(server, _SCHEMES, _PORT)
                if address.path.strip("/"):
                    raise ValueError("must be only a scheme, a host and a port")
            except ValueError as error:
                found.append(("servers", f"{error}"))
            else:
                refusal = plain_text_problem(address, settings, "tls://")
                if refusal is not None:
                    found.append(("servers", refusal))
        if settings.credentials_file is not None:
            try:
                os.close(open_secret(settings.credentials_file))
            except SecretRefused as refused:
                found.append(("credentials_file", str(refused)))
            if settings.password_file is not None or settings.user is not None:
                found.append(("credentials_file", "takes the place of user and password_file: set one of the two"))
            if not is_installed("nkeys"):
                found.append(("credentials_file", "needs nkeys: pip install 'foxtrot-supervisor[nats]'"))
        elif (settings.user is None) != (settings.password_file is None):
            found.append(("user", "user and password_file belong together: set both or none"))
        if not is_stream_name(settings.stream):
            found.append(("stream", "must be 1 to 100 of A-Z, a-z, 0-9, _ and -"))
        if not is_prefix(settings.subject_prefix):
            found.append(("subject_prefix", "must be tokens of A-Z, a-z, 0-9, _ and -, separated by points"))
        return found

    async def open(self) -> None:
        """Connect, and create or check the stream."""
        library = await load_library("foxtrot_supervisor.sinks.nats.guarded_client", NEEDS)
        settings = self._settings
        with _errors():
            client: Client = library.guarded_client(any(address.tls for address in self._addresses))
            self._client = client  # before it connects: close releases its socket, whatever happens
            await self._connect(client)
            self._jetstream = client.jetstream(timeout=settings.timeout_s)
            await self._check_stream(self._jetstream)
            self._publisher = Publisher(
                client, settings.stream, settings.subject_prefix, settings.in_flight_rows, settings.timeout_s
            )
            await self._publisher.start()

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Publish the rows; those of which it is not sure that they are new are looked for first."""
        publisher = self._publisher
        assert publisher is not None, "open comes first"
        with _errors():
            fresh = await self._without_stored(rows)
            self._sent.raise_to(rows[-1].number)
            before = publisher.duplicates
            refused = await publisher.publish(fresh)
        duplicates = publisher.duplicates - before + len(rows) - len(fresh)
        self._counts["duplicates_total"] += duplicates
        self._counts["rows_total"] += len(rows) - len(refused) - duplicates
        if refused:
            self._counts["refused_total"] += len(refused)
            raise SinkRefuses(sorted(refused, key=lambda each: each[0].number))
        self._durable = rows[-1].number
        return self._durable

    async def flush(self) -> int:
        """Nothing waits: what was written is acknowledged."""
        return self._durable

    async def close(self) -> None:
        """Close the connection."""
        client, self._client, self._jetstream, self._publisher = self._client, None, None, None
        self._durable = 0
        if client is not None:
            # a server that hangs takes what is buffered never
            with contextlib.suppress(Exception):
                async with insistent_timeout(CLOSE_S):
                    await client.close()

    def counts(self) -> dict[str, int]:
        """Rows stored, those that were there, those refused; messages read back, and rows sent without that check."""
        return dict(self._counts)

    async def _connect(self, client: Client) -> None:
        from nats.errors import NoServersError

        settings = self._settings
        reasons: list[str] = []

        async def on_error(error: Exception) -> None:
            reasons[:] = [_reason(error)]
            if self._publisher is not None and _is_refusal(reasons[-1]):
                self._publisher.fail(SinkMisconfigured(reasons[-1]))

        async def on_closed() -> None:
            if self._publisher is not None:
                reason = reasons[-1] if reasons else "the server has closed the connection"
                self._publisher.fail(SinkUnavailable(reason))

        options: dict[str, Any] = {}
        if any(address.tls for address in self._addresses):
            options["tls"] = tls_context(settings)
        password = password_of(settings)
        if settings.user is not None and password is not None:
            options |= {"user": settings.user, "password": password}
        if settings.credentials_file is not None:
            options["user_credentials"] = self._credentials(settings.credentials_file)
        connecting = client.connect(
            servers=[_url(address) for address in self._addresses],
            name=f"foxtrot-supervisor {self._context.name}",
            allow_reconnect=False,  # the sink's process does, with pauses, and begins with what is not acknowledged
            max_reconnect_attempts=1,  # of each server; 0 would be no limit
            reconnect_time_wait=0,
            connect_timeout=settings.timeout_s,  # type: ignore[arg-type]  # it may be a fraction
            ping_interval=max(1, round(settings.timeout_s / 2)),
            error_cb=on_error,
            closed_cb=on_closed,
            **options,
        )
        try:
            await connecting
        except NoServersError as error:
            raise SinkUnavailable(reasons[-1] if reasons else _reason(error)) from None

    def _credentials(self, path: str) -> Any:
        from nats.aio.client import RawCredentials

        try:
            text = read_secret_lines(path, most=CREDENTIALS_BYTES_MAX)
        except SecretRefused as refusal:
            raise SinkMisconfigured(str(refusal)) from None
        problem = seed_problem(text)
        if problem:
            raise SinkMisconfigured(f"{path}: {problem}")
        return RawCredentials(text)

    async def _check_stream(self, jetstream: JetStreamContext) -> None:
        from nats.js.errors import NotFoundError

        settings = self._settings
        try:
            info = await jetstream.stream_info(settings.stream)
        except NotFoundError:
            if not settings.create:
                raise SinkMisconfigured(f"stream {settings.stream} is missing: set create = true, or add it") from None
            info = await self._create(jetstream)
        config = info.config
        facts = StreamFacts(
            subjects=config.subjects or (),
            no_ack=bool(config.no_ack),
            sealed=bool(config.sealed),
            duplicate_window_s=config.duplicate_window or 0.0,
            max_age_s=config.max_age or 0.0,
            max_bytes=config.max_bytes or -1,
            replicas=config.num_replicas or 1,
            storage=str(getattr(config.storage, "value", config.storage)),
            retention=str(getattr(config.retention, "value", config.retention)),
        )
        problems = stream_problems(facts, settings)
        if problems:
            raise SinkMisconfigured("; ".join(problems)[:REASON_CHARS_MAX])
        self._window_s = facts.duplicate_window_s
        for difference in differences(facts, settings):
            self._context.log.warning("sink_stream_differs", stream=settings.stream, reason=difference)

    async def _create(self, jetstream: JetStreamContext) -> Any:
        from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
        from nats.js.errors import APIError

        settings = self._settings
        config = StreamConfig(
            name=settings.stream,
            description="market events of foxtrot-supervisor",
            subjects=[wanted_subject(settings)],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=settings.max_age_days * 86_400,
            max_bytes=settings.max_mib * 1024**2,
            num_replicas=settings.replicas,
            duplicate_window=min(settings.duplicate_window_s, settings.max_age_days * 86_400),
        )
        try:
            return await jetstream.add_stream(config)
        except APIError as error:
            if error.err_code in _TOO_LITTLE:
                raise SinkMisconfigured(f"the stream cannot be created: {error.description} (see max_mib)") from None
            raise

    async def _without_stored(self, rows: Sequence[SinkRow]) -> Sequence[SinkRow]:
        """Leave out rows that were sent before, are older than the duplicate window, and are in the stream."""
        oldest_ns = time.time_ns() - int(self._window_s * WINDOW_SHARE * 1e9)
        unsure = [row for row in rows if row.number <= self._sent.value and row.event.receive_ns < oldest_ns]
        if not unsure:
            return rows
        assert self._jetstream is not None
        settings = self._settings
        answer = await stored_ids(
            self._jetstream,
            settings.stream,
            wanted_subject(settings),
            {message_id(row) for row in unsure},
            min(row.event.receive_ns for row in unsure),
            settings.timeout_s,
        )
        self._counts["read_back_total"] += len(unsure)
        if not answer.is_complete:
            self._counts["unverified_total"] += len(unsure) - len(answer.found)
            self._context.log.warning("sink_rows_unverified", sink=self._context.name, rows=len(unsure))
        numbers = {row.number for row in unsure if message_id(row) in answer.found}
        return [row for row in rows if row.number not in numbers]


def _url(address: StoreAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{'tls' if address.tls else 'nats'}://{host}:{address.port}"


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of the library into those of a sink."""
    import nats.errors
    import nats.js.errors

    try:
        yield
    except (nats.errors.AuthorizationError, nats.js.errors.BadRequestError) as error:
        raise SinkMisconfigured(_reason(error)) from None
    except (nats.errors.Error, OSError) as error:  # TimeoutError is an OSError
        reason = _reason(error)
        if _is_refusal(reason):
            raise SinkMisconfigured(reason) from None
        raise SinkUnavailable(reason) from None


def _is_refusal(reason: str) -> bool:
    return "authorization" in reason.lower() or "permissions violation" in reason.lower()


def _reason(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:REASON_CHARS_MAX]
