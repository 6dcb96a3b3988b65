"""What crosses at a child's start comes back the same, and is small enough to cross."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge
from foxtrot_protocol.spec import (
    SPEC_BYTES_MAX,
    ChildSpec,
    FeedSettings,
    SimulatorSettings,
    decode_settings,
    decode_spec,
    encode_spec,
)
from foxtrot_supervisor.config.schema import EngineConfig
from foxtrot_supervisor.core.targets import engine_settings

SETTINGS: list[Any] = [
    FeedSettings(
        connection="c",
        side="a",
        exchange="x",
        channels=["trade"],
        symbols=["S"],
        data_endpoint="ipc:///run/data.ipc",
        client="picows",
        ring_bytes=2**20,
        full_wait_s=5.0,
    ),
    engine_settings(EngineConfig(handlers=["a:b"]), "/run", "/here"),
    SimulatorSettings(symbols=["S"], port=4),
]


def spec(settings: bytes) -> ChildSpec:
    return ChildSpec(
        name="c.a",
        kind="connection",
        target="module:function",
        incarnation=1,
        run_id="r",
        run_dir="/run",
        parent_pid=2,
        control_endpoint="ipc:///run/control.ipc",
        heartbeat_s=1.0,
        log_level="info",
        log_format="json",
        settings=settings,
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: type(settings).__name__)
def test_settings_come_back_the_same(settings: Any) -> None:
    sent = spec(msgspec.msgpack.encode(settings))
    got = decode_spec(encode_spec(sent))
    assert got == sent
    assert decode_settings(got.settings, type(settings)) == settings


def test_a_spec_that_would_block_the_supervisor_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        encode_spec(spec(bytes(SPEC_BYTES_MAX)))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc1", b"\x81\xa1\xff\x01", msgspec.msgpack.encode({"name": 1})])
def test_what_is_no_spec(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="child specification"):
        decode_spec(data)
    with pytest.raises(MalformedMessage, match="child settings"):
        decode_settings(data, FeedSettings)
