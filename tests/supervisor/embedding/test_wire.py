"""Encoding and decoding of orders and news, in chunks of any size."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.config.engine_cluster import EngineCluster
from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.embedding.wire import (
    NEWS_BYTES_MAX,
    Alive,
    Call,
    Ended,
    News,
    NewsReader,
    Serving,
    StartOrder,
    decode_order,
    encode_news,
    encode_order,
)

ORDER = StartOrder(
    sys_path=["/a"],
    config=FoxtrotConfig(connections=[ConnectionConfig(name="a", exchange="okx", channels=["trade"], symbols=[])]),
    run_id="r",
    application_pid=7,
    directory=3,
    lock=4,
    news=5,
    log_level="info",
)
NEWS: list[News] = [Serving(9), Call(1001), Alive(), Ended(4, {"children": [], "exit_code": 4}), Ended(1)]


def test_an_order_survives_encoding_and_decoding() -> None:
    assert decode_order(encode_order(ORDER)) == ORDER
    whole = ORDER.config.connections[0]
    values = {key: getattr(whole, key) for key in ConnectionConfig.__struct_fields__} | {"name": "a-1"}
    shard = Shard(**values, shard_of="a", entries=["*"], symbols_max=9, symbol_case="upper", merged_as="a-2")
    sharded = msgspec.structs.replace(ORDER, shards={"a": [shard]})
    assert decode_order(encode_order(sharded)) == sharded


def test_an_order_has_the_cluster_of_its_engine_whatever_kind_of_cluster_it_is() -> None:
    cluster = EngineCluster(servers=["nats://n"], engine="desk", from_start=True)
    joined = msgspec.structs.replace(ORDER, config=msgspec.structs.replace(ORDER.config, cluster=cluster))
    found = decode_order(encode_order(joined))
    assert found == joined
    assert isinstance(found.config.cluster, EngineCluster)


@pytest.mark.parametrize("data", [b"", b"[]", encode_order(ORDER)[:-1], encode_order(ORDER).replace(b"okx", b"\xff")])
def test_an_invalid_order_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="start order"):
        decode_order(data)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_news_is_reassembled_from_chunks(step: int) -> None:
    data = b"".join(map(encode_news, NEWS))
    reader = NewsReader()
    heard = [news for at in range(0, len(data), step) for news in reader.feed(data[at : at + step])]
    assert heard == NEWS


def test_invalid_news_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="news:"):
        NewsReader().feed(b'{"type":"rumour"}\n')
    with pytest.raises(MalformedMessage, match="longer than"):
        NewsReader().feed(b"x" * (NEWS_BYTES_MAX + 1))
