"""What stands in the buckets is read back as it was written; anything else is a ValueError."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster.model import Holder, Previous, decode, encode

HOLDER = Holder(
    token=7,
    epoch=5,
    node="n1",
    instance="i",
    host="h",
    addresses=[],
    connection="btc",
    side="a",
    part="a1",
    state="serving",
    ack="$JS.ACK.x",
    workers={"btc_a1_5.a": 2},
    previous=Previous("n0", 3, "a0"),
)


def test_a_holder_is_read_back() -> None:
    assert decode(encode(HOLDER), Holder) == HOLDER


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 5000])
def test_what_is_no_holder_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data, Holder)
