"""Our framing is what the library makes of the same payload."""

from __future__ import annotations

import json

import pytest
from websockets.frames import Frame, Opcode

from foxtrot_workers.simulator.wire.frames import combine, frame, header


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_equal_to_the_library(size: int) -> None:
    payload = b"x" * size
    assert frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert header(size) + payload == frame(payload)


def test_combined() -> None:
    assert json.loads(combine("a@trade", b'{"p":"1"}')) == {"stream": "a@trade", "data": {"p": "1"}}
