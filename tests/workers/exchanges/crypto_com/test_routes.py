from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.crypto_com.routes import beginning_of, names_topic

HEAD = b'{"id":-1,"result":{"channel":"trade","subscription":"trade.A_B",'


def test_the_beginning_ends_before_the_data() -> None:
    assert beginning_of(HEAD + b'"data":[]}}') == HEAD
    assert beginning_of(HEAD) == b""
    assert beginning_of(b'"data"') == b""


@pytest.mark.parametrize(
    ("beginning", "named"),
    [
        (HEAD, True),
        (HEAD.replace(b":", b": "), True),
        (HEAD.replace(b"A_B", b"A_C"), False),
        (HEAD + b'"subscription":"trade.C_D",', False),
        (b"", False),
    ],
)
def test_only_a_beginning_that_names_the_topic_alone_is_learned(beginning: bytes, named: bool) -> None:
    assert names_topic(beginning, "trade.A_B") is named
