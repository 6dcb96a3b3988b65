"""Errors carry data and say who is to blame."""

from __future__ import annotations

from foxtrot_protocol.errors import (
    BookInvalid,
    FoxtrotError,
    LocalError,
    MalformedMessage,
    MessageTooLarge,
    RemoteError,
    VersionMismatch,
)


def test_the_type_says_who_is_to_blame() -> None:
    assert issubclass(MessageTooLarge, LocalError)
    for remote in (VersionMismatch, MalformedMessage, BookInvalid):
        assert issubclass(remote, RemoteError)
    for side in (LocalError, RemoteError):
        assert issubclass(side, FoxtrotError)
    assert not issubclass(LocalError, RemoteError)
    assert not issubclass(RemoteError, LocalError)


def test_errors_carry_data() -> None:
    large = MessageTooLarge(5, 4)
    assert (large.size_bytes, large.limit_bytes) == (5, 4)
    assert str(large) == "message of 5 bytes is over the limit of 4 bytes"
    version = VersionMismatch(2, 1)
    assert (version.theirs, version.ours) == (2, 1)
    assert str(version) == "peer speaks protocol version 2, this program speaks 1"
    assert MalformedMessage("why").reason == str(MalformedMessage("why")) == "why"
    book = BookInvalid("BTC", "crossed")
    assert (book.symbol, book.reason, str(book)) == ("BTC", "crossed", "BTC: crossed")
