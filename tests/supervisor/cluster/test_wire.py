"""Parcels: encoded, decoded, refused, named so that nothing is stored twice or dropped."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel, Piece, decode_parcel, encode_parcel, message_id

PARCEL = Parcel(
    run_id="r1",
    worker="btc.a0-a",
    incarnation=5_000_001,
    connection="btc",
    side="a0.a",
    capacity=4096,
    rules={"eMarketTrade.": "sequence"},
    acknowledged=3,
    batches=[Committed(4, 10, 2, b"four"), Committed(5, 12, 1, b"five")],
)


def test_a_parcel_comes_back_as_it_was() -> None:
    ended = msgspec.structs.replace(PARCEL, batches=[], end=End(5, 13, 1, 0))
    for parcel in (PARCEL, ended):
        back = decode_parcel(encode_parcel(parcel))
        assert list(back.batches) == list(parcel.batches)
        assert msgspec.structs.replace(back, batches=()) == msgspec.structs.replace(parcel, batches=())


def test_other_versions_and_pieces_of_nothing_are_refused() -> None:
    piece = msgspec.structs.replace(PARCEL, piece=Piece(0, 2))  # two batches
    beyond = msgspec.structs.replace(PARCEL, batches=PARCEL.batches[:1], piece=Piece(2, 2))
    for wrong in (msgspec.structs.replace(PARCEL, version=2), piece, beyond):
        with pytest.raises(MalformedMessage):
            decode_parcel(encode_parcel(wrong))
    for damaged in (b"", b"\xc1", encode_parcel(PARCEL)[:-3]):
        with pytest.raises(MalformedMessage):
            decode_parcel(damaged)


def test_the_identifier_names_the_run_and_the_batches() -> None:
    assert message_id(PARCEL) == "r1/btc.a0-a/5000001/4-5"
    # grouped otherwise after a restart: JetStream must not take it for the same
    assert message_id(msgspec.structs.replace(PARCEL, batches=PARCEL.batches[:1])) == "r1/btc.a0-a/5000001/4-4"
    piece = msgspec.structs.replace(PARCEL, batches=PARCEL.batches[:1], piece=Piece(1, 2))
    assert message_id(piece) == "r1/btc.a0-a/5000001/4-4.1"
    assert message_id(msgspec.structs.replace(PARCEL, batches=[])) == "r1/btc.a0-a/5000001/end"
