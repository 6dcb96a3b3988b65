from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.gemini.messages import decode_depth, decode_trade
from tests.workers.exchanges.gemini.samples import NS, depth, trade


def test_nanoseconds_past_two_to_the_53rd_are_exact() -> None:
    assert decode_trade(msgspec.json.encode(trade())).time == NS


@pytest.mark.parametrize("changes", [{"E": -1}, {"E": 2**63}, {"t": "1"}, {"m": 1}, {"p": 1.5}])
def test_wrong_types_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_trade(msgspec.json.encode({**trade(), **changes}))


def test_only_changes_of_books_are_changes_of_books() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_depth(msgspec.json.encode({**depth(1, 2), "e": "other"}))
