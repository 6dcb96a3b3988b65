"""The state that a book shares with the matcher: the same in both forms."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.adapter.book_chain import BookChain, PureBookChain
from foxtrot_workers.adapter.crossing import CrossingCheck

CHAINS: list[Any] = [PureBookChain, BookChain]


@pytest.mark.parametrize("make", CHAINS)
def test_a_chain_is_steady_only_between_settle_and_unsettle(make: Any) -> None:
    chain = make(1)
    assert (chain.last, chain.newest, chain.last_ns, chain.in_order, chain.step) == (None, 0, 0, 0, 1)
    assert not chain.steady
    chain.settle(CrossingCheck())
    assert chain.steady
    chain.unsettle()
    assert not chain.steady


@pytest.mark.parametrize("make", CHAINS)
def test_identifiers_may_be_of_any_size_or_missing(make: Any) -> None:
    chain = make(0)
    for last in (2**70, -1, None):
        chain.last = last
        assert chain.last == last
    chain.newest, chain.last_ns, chain.in_order = 2**70, 5, 7
    assert (chain.newest, chain.last_ns, chain.in_order) == (2**70, 5, 7)
