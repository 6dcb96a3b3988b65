"""What crosses at a child's start: bounded, typed, no pickle."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge
from foxtrot_protocol.spec import (
    SPEC_BYTES_MAX,
    ChildSpec,
    EngineSettings,
    FeedSettings,
    decode_settings,
    decode_spec,
    encode_spec,
)

FEED = FeedSettings(
    connection="c", side="a", exchange="sim", channels=["trade"], symbols=["BTCUSDT"], data_endpoint="ipc://x"
)


def spec(settings: bytes) -> ChildSpec:
    return ChildSpec(
        name="c.a",
        kind="connection",
        target="package.module:function",
        incarnation=2,
        run_id="r",
        run_dir="d",
        parent_pid=1,
        control_endpoint="ipc://c",
        heartbeat_s=1.0,
        log_level="info",
        log_format="json",
        settings=settings,
    )


def test_specification_and_settings_survive() -> None:
    whole = spec(msgspec.msgpack.encode(FEED))
    assert decode_spec(encode_spec(whole)) == whole
    assert decode_settings(whole.settings, FeedSettings) == FEED


def test_a_specification_that_would_block_the_pipe_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        encode_spec(spec(b"x" * SPEC_BYTES_MAX))


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode({"name": 1})])
def test_rubbish_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_spec(data)
    with pytest.raises(MalformedMessage):
        decode_settings(data, EngineSettings)
