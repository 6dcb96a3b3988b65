"""Declarations of frames: grouped by kind, withdrawn by topic."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.events import Quote, Trade
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.frame_kinds import DeclaredStream, FrameKinds

decode = msgspec.json.Decoder(dict[str, str]).decode


def test_streams_of_one_kind_are_declared_together() -> None:
    kinds = FrameKinds()
    for symbol in ("A", "B"):
        kinds.declare(decode, Trade, "X", DeclaredStream(symbol, symbol, f"{symbol}@trade"), key=("s",))
    kinds.declare(decode, Quote, "X", DeclaredStream("A", "A", "A@quote"), key=("s",))
    kinds.declare(decode, Quote, "X", DeclaredStream("A", "A", "A@book", BookChain(1)), key=("s",))
    assert [(kind.event, kind.chained, list(kind.streams)) for kind in kinds] == [
        (Trade, False, ["A", "B"]),
        (Quote, False, ["A"]),
        (Quote, True, ["A"]),
    ]
    assert kinds.version == 4


def test_a_topic_has_one_declaration() -> None:
    kinds = FrameKinds()
    kinds.declare(decode, Trade, "X", DeclaredStream("A", "A", "wire"), key=("s",))
    kinds.declare(decode, Trade, "X", DeclaredStream("A2", "A", "wire"), key=("s",))
    (kind,) = kinds
    assert list(kind.streams) == ["A2"]
    kinds.withdraw("wire")
    assert kind.streams == {}
    before = kinds.version
    kinds.withdraw("wire")
    kinds.withdraw("never declared")
    assert kinds.version == before
