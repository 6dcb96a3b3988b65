"""The Redis sink against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.sinks.redis.script import stream_name
from foxtrot_supervisor.sinks.redis.settings import RedisSettings
from foxtrot_supervisor.sinks.redis.sink import RedisSink
from foxtrot_supervisor.sinks.sink import SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.stores.fields import flat_fields
from tests.support.sink_delivery import check_that_a_hang_ends_in_time, deliver, deliver_over_kills
from tests.support.sink_log import KeptLog, sink_context
from tests.support.sink_rows import every_kind, trade_rows, with_event
from tests.support.store_servers import PASSWORD, REDIS_SERVER, RedisServer
from tests.support.tls import make_tls

redis = pytest.importorskip("redis.asyncio", reason="redis is not installed: the extra redis")

pytestmark = pytest.mark.skipif(REDIS_SERVER is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server; each test uses a prefix of its own."""
    with RedisServer(tmp_path_factory.mktemp("r")) as running:
        yield running


@pytest.fixture
def settings(server: RedisServer, request: pytest.FixtureRequest) -> RedisSettings:
    """A prefix for this test alone."""
    return RedisSettings(url=server.url, prefix=f"p{abs(hash(request.node.name))}", timeout_s=5.0)


@contextlib.asynccontextmanager
async def client_of(server: RedisServer, **options: Any) -> AsyncIterator[Any]:
    client = redis.Redis(port=server.port, decode_responses=True, **options)
    try:
        yield client
    finally:
        await client.aclose()


async def stored(server: RedisServer, settings: RedisSettings) -> dict[str, list[tuple[str, list[str]]]]:
    """Id and fields of each entry, by stream."""
    found = {}
    async with client_of(server) as client:
        async for name in client.scan_iter(f"{settings.prefix}:*", _type="stream", count=1000):
            entries = await client.execute_command("XRANGE", name, "-", "+")
            found[name] = [
                (identifier, [text for pair in fields.items() for text in pair]) for identifier, fields in entries
            ]
    return found


def keys(entries: list[tuple[str, list[str]]]) -> list[str]:
    return [fields[fields.index("key") + 1] for _, fields in entries]


def by_stream(rows: list[SinkRow], settings: RedisSettings) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for row in rows:
        name = stream_name(row, settings.prefix, settings.streams == "symbol")
        found.setdefault(name, []).append(flat_fields(row))
    return found


@pytest.mark.parametrize("streams", ["kind", "symbol"])
async def test_rows_of_every_kind_are_stored_once_in_order(
    server: RedisServer, settings: RedisSettings, tmp_path: Path, streams: Any
) -> None:
    settings = msgspec.structs.replace(settings, streams=streams)
    rows = every_kind()
    assert await deliver(RedisSink(settings, sink_context(tmp_path)), rows) == []
    again = RedisSink(settings, sink_context(tmp_path))
    assert await deliver(again, rows, batch_rows=7) == []
    assert again.counts()["duplicates_total"] == len(rows)
    other = tmp_path / "other"
    other.mkdir()
    assert await deliver(RedisSink(settings, sink_context(other)), rows) == [], "another host has the same events"
    entries = await stored(server, settings)
    assert {name: [fields for _, fields in each] for name, each in entries.items()} == by_stream(rows, settings)


async def test_ids_are_times_of_receipt_and_grow(server: RedisServer, settings: RedisSettings, tmp_path: Path) -> None:
    rows = trade_rows(1, 3, receive_ns=5_000_000_000)
    rows[2] = with_event(rows[2], receive_ns=4_000_000_000)  # another worker's clock
    rows += [with_event(row, receive_ns=6_000_000_000) for row in trade_rows(4, 1)]
    await deliver(RedisSink(settings, sink_context(tmp_path)), rows, batch_rows=2)
    entries = await stored(server, settings)
    assert [identifier for identifier, _ in entries[f"{settings.prefix}:trade"]] == [
        "5000-0",
        "5000-1",
        "5000-2",
        "6000-0",
    ]


async def test_two_sinks_share_streams(server: RedisServer, settings: RedisSettings, tmp_path: Path) -> None:
    """Their row numbers have nothing to do with each other, and neither hides the other's rows."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    low, high = trade_rows(1, 50), trade_rows(1_780_000_000_000_000, 50)
    await deliver(RedisSink(settings, sink_context(tmp_path / "b")), high)
    await deliver(RedisSink(settings, sink_context(tmp_path / "a")), low)
    entries = await stored(server, settings)
    assert set(keys(entries[f"{settings.prefix}:trade"])) == {row.key for row in (*low, *high)}


async def test_a_stream_is_bounded(server: RedisServer, settings: RedisSettings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings, max_entries=1000)
    await deliver(RedisSink(settings, sink_context(tmp_path)), trade_rows(1, 3000), batch_rows=1000)
    entries = (await stored(server, settings))[f"{settings.prefix}:trade"]
    assert 1000 <= len(entries) < 1300
    assert entries[-1][1] == flat_fields(trade_rows(3000, 1)[0])


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("window_s", [120, 0])
async def test_a_server_that_is_killed_while_rows_come_loses_and_doubles_none(tmp_path: Path, window_s: int) -> None:
    rows = trade_rows(1, 6000)
    with RedisServer(tmp_path) as server:
        settings = RedisSettings(url=server.url, timeout_s=5.0, duplicate_window_s=window_s)
        sink = RedisSink(settings, sink_context(tmp_path))
        assert await deliver_over_kills(sink, rows, server) == []
        found = keys((await stored(server, settings))["foxtrot:trade"])
        assert found == [row.key for row in rows]
        assert sink.counts()["losses_total"] == 0


async def test_a_server_that_hangs_is_given_up_in_time(
    server: RedisServer, settings: RedisSettings, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(settings, timeout_s=0.5)
    sink = RedisSink(settings, sink_context(tmp_path))
    await check_that_a_hang_ends_in_time(sink, server)
    assert await deliver(sink, trade_rows(1, 10)) == []
    entries = (await stored(server, settings))[f"{settings.prefix}:trade"]
    assert keys(entries) == [row.key for row in trade_rows(1, 10)]


async def test_rows_that_redis_refuses_are_put_aside(
    server: RedisServer, settings: RedisSettings, tmp_path: Path
) -> None:
    async with client_of(server) as client:
        await client.set(f"{settings.prefix}:quote", "a foreign text")
    rows = trade_rows(1, 5)
    rows[1] = msgspec.structs.replace(rows[1], kind="quote")
    rows[4] = with_event(rows[4], symbol="\ud800")
    refused = await deliver(RedisSink(settings, sink_context(tmp_path)), rows, batch_rows=2)
    assert [(row.number, reason.split()[0]) for row, reason in refused] == [(2, "WRONGTYPE"), (5, "cannot")]
    entries = await stored(server, settings)
    assert keys(entries[f"{settings.prefix}:trade"]) == [rows[0].key, rows[2].key, rows[3].key]


async def test_lost_rows_are_said(tmp_path: Path) -> None:
    """A Redis without an append-only file, and one that is emptied while it runs."""
    log = KeptLog()
    with RedisServer(tmp_path, appendonly="no") as server:
        sink = RedisSink(RedisSettings(url=server.url, timeout_s=5.0), sink_context(tmp_path, log))
        await deliver(sink, trade_rows(1, 10))
        assert sink.counts()["not_persistent"] == 1
        assert any("appendonly yes" in str(fields) for _, fields in log.lines)
        server.kill()
        server.start()
        await deliver(sink, trade_rows(11, 10))
        assert sink.counts()["losses_total"] == 1
        assert ("sink_store_lacks_rows", 1, 10) in [
            (name, each.get("first_row"), each.get("last_row")) for name, each in log.lines
        ]
        await sink.open()
        assert await sink.write(trade_rows(21, 5)) == 25
        async with client_of(server) as client:
            await client.flushall()
        with pytest.raises(SinkUnavailable, match="lost rows"):
            await sink.write(trade_rows(26, 5))
        await sink.close()


async def test_a_full_memory_is_waited_for(server: RedisServer, settings: RedisSettings, tmp_path: Path) -> None:
    sink = RedisSink(settings, sink_context(tmp_path))
    async with client_of(server) as client:
        await client.config_set("maxmemory", "1")
        delivery = asyncio.create_task(deliver(sink, trade_rows(1, 500)))
        await asyncio.sleep(0.2)
        assert not delivery.done()
        await client.config_set("maxmemory", "0")
        assert await delivery == []
    assert len((await stored(server, settings))[f"{settings.prefix}:trade"]) == 500


async def test_a_password_and_rights(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("wrong-password-1")
    with RedisServer(tmp_path, requirepass=PASSWORD) as server:
        settings = RedisSettings(url=server.url, password_file=str(file), timeout_s=5.0)
        sink = RedisSink(settings, sink_context(tmp_path))
        with pytest.raises(SinkMisconfigured) as raised:
            await sink.open()
        assert "wrong-password" not in raised.value.reason
        await sink.close()
        file.write_text(PASSWORD)
        assert await deliver(sink, trade_rows(1, 3)) == []
        async with client_of(server, password=PASSWORD) as client:
            rights = ["~foxtrot:*", "+evalsha", "+script", "+hget", "+hset", "+xadd", "+xinfo", "+sadd", "+sismember"]
            await client.execute_command(
                "ACL",
                "SETUSER",
                "feed",
                "on",
                f">{PASSWORD}",
                *rights,
                "+expire",
                "+time",
                "+hello",
                "+client",
                "+select",
            )
        log = KeptLog()
        narrow = RedisSink(msgspec.structs.replace(settings, user="feed"), sink_context(tmp_path, log))
        started = time.monotonic()
        assert await deliver(narrow, trade_rows(4, 3)) == [], "INFO may be forbidden: then age says what is durable"
        assert time.monotonic() - started >= 2.0
        assert "sink_store_unknown" in log.events()


@pytest.mark.parametrize("clients", ["no", "yes"])
async def test_tls(tmp_path: Path, clients: str) -> None:
    """`clients`: whether the server demands a certificate of them."""
    made = make_tls(tmp_path)
    options = {
        "tls_cert_file": str(made.cert_file),
        "tls_key_file": str(made.key_file),
        "tls_ca_cert_file": str(made.ca_file),
        "tls_auth_clients": clients,
    }
    server = RedisServer(tmp_path, port="0", **options)
    server.options["tls_port"] = str(server.port)
    with server:
        url = server.url.replace("redis:", "rediss:")
        settings = RedisSettings(url=url, ca_file=str(made.ca_file), timeout_s=5.0)
        strangers = [msgspec.structs.replace(settings, ca_file=None)]
        if clients == "yes":
            strangers.append(settings)
            settings = msgspec.structs.replace(settings, cert_file=str(made.cert_file), key_file=str(made.key_file))
        assert RedisSink.problems(settings) == []
        assert await deliver(RedisSink(settings, sink_context(tmp_path)), trade_rows(1, 3)) == []
        for stranger in strangers:
            strange = RedisSink(stranger, sink_context(tmp_path))
            with pytest.raises(SinkUnavailable, match=r"(?i)certificate"):
                await strange.open()
            await strange.close()
