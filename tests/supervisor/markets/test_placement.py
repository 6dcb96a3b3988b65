"""Symbols keep their shard; new ones fill up what has room."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.markets.placement import SHARDS_MAX, add, place, split

names = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=40)


def test_a_new_connection_is_spread_evenly() -> None:
    symbols = [f"S{number}" for number in range(10)]
    shards = place(symbols, {}, 4)
    assert list(shards) == [1, 2, 3]
    assert sorted(map(len, shards.values())) == [3, 3, 4]


def test_a_symbol_added_or_removed_moves_no_other() -> None:
    present = {1: ["A", "B"], 2: ["C"], 4: ["D", "E"]}
    assert place("ABCDEF", present, 2) == {1: ["A", "B"], 2: ["C", "F"], 4: ["D", "E"]}
    assert place("ACDE", present, 2) == {1: ["A"], 2: ["C"], 4: ["D", "E"]}
    assert place("ABDEFG", present, 2) == {1: ["A", "B"], 2: ["F", "G"], 4: ["D", "E"]}


def test_a_shard_that_is_too_full_keeps_its_symbols() -> None:
    assert place("ABCD", {1: ["A", "B", "C"]}, 2) == {1: ["A", "B", "C"], 2: ["D"]}


@given(first=names, second=names, symbols_max=st.integers(1, 7))
def test_every_symbol_is_placed_once_and_none_moves(first: list[str], second: list[str], symbols_max: int) -> None:
    before = place(first, {}, symbols_max)
    after = place(second, before, symbols_max)
    assert sorted(symbol for shard in after.values() for symbol in shard) == sorted(second)
    where = {symbol: number for number, shard in before.items() for symbol in shard}
    for number, shard in after.items():
        assert 0 < len(shard) <= symbols_max
        for symbol in shard:
            assert where.get(symbol, number) == number


def test_a_split_moves_half_to_a_new_shard() -> None:
    assert split({1: ["A", "B", "C"], 3: ["D"]}, 1) == {1: ["A", "C"], 2: ["B"], 3: ["D"]}
    with pytest.raises(ValueError, match="shard 3 has one symbol only"):
        split({3: ["D"]}, 3)
    with pytest.raises(KeyError):
        split({3: ["D"]}, 4)


def test_there_is_a_largest_number_of_shards() -> None:
    many: Any = [str(number) for number in range(SHARDS_MAX + 1)]
    assert len(place(many[:-1], {}, 1)) == SHARDS_MAX
    with pytest.raises(ValueError, match=f"more than {SHARDS_MAX} shards"):
        place(many, {}, 1)


def test_symbols_are_added_to_what_is_there() -> None:
    present = {"x-1": ["A"], "x-2": ["B", "C"]}
    assert add("ABD", present, 3) == {"x-2": ["D"]}
    assert add("ABDEF", present, 3) == {"x-2": ["D"], "x-1": ["E", "F"]}
    assert add("A", present, 1) == {}
    with pytest.raises(ValueError, match="no worker has room for 2 more symbols"):
        add("DEFGH", present, 3)
