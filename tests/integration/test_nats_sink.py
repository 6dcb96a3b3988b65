"""The NATS sink against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.nats.sink import NatsSink
from foxtrot_supervisor.sinks.nats.subjects import message_id, subject_of
from foxtrot_supervisor.sinks.sink import SinkMisconfigured, SinkRefuses, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.stores.fields import fields_of
from tests.support.nats_identities import make_identities
from tests.support.sink_delivery import check_that_a_hang_ends_in_time, deliver, deliver_over_kills
from tests.support.sink_log import KeptLog, sink_context
from tests.support.sink_rows import every_kind, trade_rows, with_event
from tests.support.store_servers import NATS_SERVER, NATS_SERVERS, PASSWORD, NatsServer
from tests.support.tls import make_tls

nats = pytest.importorskip("nats", reason="nats-py is not installed: the extra nats")

pytestmark = pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server; each test uses a stream of its own."""
    with NatsServer(tmp_path_factory.mktemp("n")) as running:
        yield running


@pytest.fixture
def settings(server: NatsServer, request: pytest.FixtureRequest) -> NatsSettings:
    """A stream and subjects for this test alone."""
    name = f"s{abs(hash(request.node.name))}"
    return NatsSettings(servers=[server.url], stream=name, subject_prefix=name, timeout_s=5.0)


@contextlib.asynccontextmanager
async def jetstream(server: NatsServer, **options: Any) -> AsyncIterator[Any]:
    client = await nats.connect(server.url, allow_reconnect=False, **options)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def stored(server: NatsServer, settings: NatsSettings, **options: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Subject, id and content of each message of the stream."""
    async with jetstream(server, **options) as stream:
        state = (await stream.stream_info(settings.stream)).state
        subscription = await stream.subscribe(f"{settings.subject_prefix}.>", ordered_consumer=True)
        messages = [await subscription.next_msg(timeout=10) for _ in range(state.messages)]
        await subscription.unsubscribe()
    return [(each.subject, each.headers["Nats-Msg-Id"], msgspec.json.decode(each.data)) for each in messages]


def expected(rows: list[SinkRow], settings: NatsSettings) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (
            subject_of(row, settings.subject_prefix),
            message_id(row),
            msgspec.json.decode(msgspec.json.encode(fields_of(row))),
        )
        for row in rows
    ]


async def test_rows_of_every_kind_are_stored_once_in_order(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    rows = every_kind()
    sink = NatsSink(settings, sink_context(tmp_path))
    assert await deliver(sink, rows) == []
    again = NatsSink(settings, sink_context(tmp_path))
    assert await deliver(again, rows, batch_rows=7) == []
    assert again.counts()["duplicates_total"] == len(rows)
    other = tmp_path / "other"
    other.mkdir()
    assert await deliver(NatsSink(settings, sink_context(other)), rows) == [], "another host has the same events"
    assert await stored(server, settings) == expected(rows, settings)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, marks=() if number == 0 else pytest.mark.variant)
        for number, program in enumerate(NATS_SERVERS)
    ],
)
async def test_a_server_that_is_killed_while_rows_come_loses_and_doubles_none(tmp_path: Path, program: str) -> None:
    rows = trade_rows(1, 6000)
    with NatsServer(tmp_path, program=program) as server:
        settings = NatsSettings(servers=[server.url], timeout_s=5.0)
        sink = NatsSink(settings, sink_context(tmp_path))
        assert await deliver_over_kills(sink, rows, server) == []
        found = [identifier for _, identifier, _ in await stored(server, settings)]
        assert len(found) == len(rows)
        assert set(found) == {row.key for row in rows}


async def test_a_server_that_hangs_is_given_up_in_time(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(settings, timeout_s=0.5)
    sink = NatsSink(settings, sink_context(tmp_path))
    await check_that_a_hang_ends_in_time(sink, server, r"0\.5 s")
    assert await deliver(sink, trade_rows(1, 10)) == []
    assert len(await stored(server, settings)) == 10


async def test_rows_that_no_server_takes_are_refused_and_the_others_stored(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    rows = trade_rows(1, 6)
    rows[1] = with_event(rows[1], price="9" * 1_048_576)
    rows[2] = msgspec.structs.replace(rows[2], symbol="x" * 2000)
    rows[3] = with_event(rows[3], symbol="\ud800")
    sink = NatsSink(settings, sink_context(tmp_path))
    refused = await deliver(sink, rows)
    assert [row.number for row, _ in refused] == [2, 3, 4]
    assert "max_payload" in refused[0][1]
    assert "subject" in refused[1][1]
    assert "encoded" in refused[2][1]
    assert [identifier for _, identifier, _ in await stored(server, settings)] == [
        row.key for row in rows if row.number not in (2, 3, 4)
    ]


async def test_a_message_that_the_stream_finds_too_large_is_refused(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    async with jetstream(server) as stream:
        await stream.add_stream(
            name=settings.stream, subjects=[f"{settings.subject_prefix}.>"], max_msg_size=2000, duplicate_window=60
        )
    rows = trade_rows(1, 3)
    rows[1] = with_event(rows[1], price="9" * 3000)
    log = KeptLog()
    refused = await deliver(NatsSink(settings, sink_context(tmp_path, log)), rows)
    assert [row.number for row, _ in refused] == [2]
    assert "exceeds" in refused[0][1]
    said = [fields["reason"] for event, fields in log.lines if event == "sink_stream_differs"]
    assert "duplicate_window_s is 60, not 120" in said, "the stream is used as it is"


async def test_streams_that_do_not_fit_are_said(server: NatsServer, settings: NatsSettings, tmp_path: Path) -> None:
    async def reason(changed: NatsSettings) -> str:
        sink = NatsSink(changed, sink_context(tmp_path))
        with pytest.raises(SinkMisconfigured) as raised:
            await sink.open()
        await sink.close()
        return raised.value.reason

    assert "is missing" in await reason(msgspec.structs.replace(settings, create=False))
    async with jetstream(server) as stream:
        await stream.add_stream(name=settings.stream, subjects=["orders.>"])
        assert f"without {settings.subject_prefix}.>" in await reason(settings)
        await stream.delete_stream(settings.stream)
        await stream.add_stream(name=f"{settings.stream}x", subjects=[f"{settings.subject_prefix}.>"])
        assert "overlap" in await reason(settings)
        await stream.delete_stream(f"{settings.stream}x")
    too_large = msgspec.structs.replace(settings, max_mib=500_000_000)
    assert "see max_mib" in await reason(too_large)


async def test_a_lost_acknowledgement_doubles_nothing_after_the_duplicate_window(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    """Rows that were stored come again after the server has forgotten their ids."""
    async with jetstream(server) as stream:
        await stream.add_stream(name=settings.stream, subjects=[f"{settings.subject_prefix}.>"], duplicate_window=0.1)
    now = time.time_ns()
    await deliver(NatsSink(settings, sink_context(tmp_path)), trade_rows(1, 20, now - 60_000_000_000))
    await asyncio.sleep(0.5)  # the window of the server passes
    again = NatsSink(settings, sink_context(tmp_path))
    rows = trade_rows(1, 30, now - 60_000_000_000)
    await deliver(again, rows, batch_rows=15)
    assert again.counts()["duplicates_total"] == 20
    assert again.counts()["read_back_total"] == 20, "rows beyond those that were sent need no check"
    assert [identifier for _, identifier, _ in await stored(server, settings)] == [row.key for row in rows]


async def test_passwords_and_rights(tmp_path: Path) -> None:
    lines = [
        "authorization { users = [",
        f'  {{ user: foxtrot, password: "{PASSWORD}" }}',
        '  { user: reader, password: "reader-password-1", permissions: { publish: ["$JS.>", "_INBOX.>"] } }',
        "] }",
    ]
    file = tmp_path / "password"
    file.touch(mode=0o600)
    with NatsServer(tmp_path, lines=lines) as server:
        settings = NatsSettings(
            servers=[server.url], user="foxtrot", password_file=str(file), timeout_s=5.0, max_mib=16
        )
        sink = NatsSink(settings, sink_context(tmp_path))
        file.write_text("wrong-password-1")
        with pytest.raises(SinkMisconfigured, match=r"(?i)authorization") as raised:
            await sink.open()
        assert "wrong-password" not in raised.value.reason
        await sink.close()
        file.write_text(PASSWORD + "\n")
        assert await deliver(sink, trade_rows(1, 3)) == [], "the file is read at each connection"
        file.write_text("reader-password-1")
        reader = NatsSink(msgspec.structs.replace(settings, user="reader"), sink_context(tmp_path))
        await reader.open()
        with pytest.raises(SinkMisconfigured, match=r"(?i)permissions violation"):
            await reader.write(trade_rows(4, 3))
        await reader.close()


async def test_tls_is_demanded_verified_and_never_left_out(tmp_path: Path, server: NatsServer) -> None:
    made = make_tls(tmp_path)
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD)
    lines = [
        f'tls {{ cert_file: "{made.cert_file}", key_file: "{made.key_file}" }}',
        f'authorization {{ user: foxtrot, password: "{PASSWORD}" }}',
    ]
    with NatsServer(tmp_path, lines=lines) as encrypted:
        settings = NatsSettings(
            servers=[encrypted.url.replace("nats:", "tls:")],
            user="foxtrot",
            password_file=str(file),
            ca_file=str(made.ca_file),
            timeout_s=5.0,
        )
        assert await deliver(NatsSink(settings, sink_context(tmp_path)), trade_rows(1, 3)) == []
        strange = NatsSink(msgspec.structs.replace(settings, ca_file=None), sink_context(tmp_path))
        with pytest.raises((SinkUnavailable, SinkMisconfigured), match=r"(?i)certificate"):
            await strange.open()
        await strange.close()
    received: list[bytes] = []

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"X","version":"2.10.0","auth_required":true,"max_payload":1048576}\r\n')
        received.append(await reader.read(4096))
        writer.close()

    stripping = await asyncio.start_server(between, "127.0.0.1", 0)
    async with stripping:
        port = stripping.sockets[0].getsockname()[1]
        sink = NatsSink(msgspec.structs.replace(settings, servers=[f"tls://127.0.0.1:{port}"]), sink_context(tmp_path))
        with pytest.raises(SinkMisconfigured, match="offers no TLS"):
            await sink.open()
        await sink.close()
        await asyncio.sleep(0)
    assert b"".join(received) == b"", "neither password nor user went out"


async def test_a_server_may_demand_the_certificate_of_the_client(tmp_path: Path) -> None:
    made = make_tls(tmp_path)
    lines = [
        f'tls {{ cert_file: "{made.cert_file}", key_file: "{made.key_file}", ca_file: "{made.ca_file}", verify: true }}'
    ]
    with NatsServer(tmp_path, lines=lines) as server:
        anonymous = NatsSettings(
            servers=[server.url.replace("nats:", "tls:")], ca_file=str(made.ca_file), timeout_s=5.0
        )
        known = msgspec.structs.replace(anonymous, cert_file=str(made.cert_file), key_file=str(made.key_file))
        assert NatsSink.problems(known) == []
        assert await deliver(NatsSink(known, sink_context(tmp_path)), trade_rows(1, 3)) == []
        strange = NatsSink(anonymous, sink_context(tmp_path))
        with pytest.raises((SinkUnavailable, SinkMisconfigured)):
            await strange.open()
        await strange.close()


async def test_credentials_of_an_account_are_used_and_read_at_each_connection(tmp_path: Path) -> None:
    pytest.importorskip("nkeys", reason="nkeys is not installed: the extra nats")
    identities, foreign = make_identities(), make_identities()
    file = tmp_path / "credentials"
    file.touch(mode=0o600)
    file.write_text(foreign.credentials)
    with NatsServer(tmp_path, lines=identities.lines) as server:
        settings = NatsSettings(servers=[server.url], credentials_file=str(file), timeout_s=5.0)
        assert NatsSink.problems(settings) == []
        sink = NatsSink(settings, sink_context(tmp_path))
        with pytest.raises(SinkMisconfigured, match=r"(?i)authorization"):
            await sink.open()
        await sink.close()
        file.write_text(identities.credentials)
        assert await deliver(sink, trade_rows(1, 3)) == []


async def test_a_refusal_names_all_rows_of_the_batch(
    server: NatsServer, settings: NatsSettings, tmp_path: Path
) -> None:
    rows = trade_rows(1, 4)
    for place in (1, 3):
        rows[place] = with_event(rows[place], symbol="\ud800")
    sink = NatsSink(settings, sink_context(tmp_path))
    await sink.open()
    with pytest.raises(SinkRefuses) as raised:
        await sink.write(rows)
    await sink.close()
    assert [row.number for row, _ in raised.value.rows] == [2, 4]
