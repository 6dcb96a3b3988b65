"""The exception tree: who is to blame is told by the type, and the data by attributes."""

from __future__ import annotations

import pytest

from foxtrot_protocol import errors
from foxtrot_protocol.errors import (
    BookInvalid,
    FoxtrotError,
    LocalError,
    MalformedMessage,
    MessageTooLarge,
    RemoteError,
    VersionMismatch,
)


@pytest.mark.parametrize(
    ("error", "blame", "text"),
    [
        (MessageTooLarge(11, 10), LocalError, "11 bytes"),
        (VersionMismatch(2, 1), RemoteError, "version 2"),
        (MalformedMessage("why"), RemoteError, "why"),
        (BookInvalid("BTC", "gap"), RemoteError, "BTC: gap"),
    ],
)
def test_blame_and_text(error: FoxtrotError, blame: type[FoxtrotError], text: str) -> None:
    assert isinstance(error, blame)
    assert text in str(error)


def test_the_documented_tree_names_every_error() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__
