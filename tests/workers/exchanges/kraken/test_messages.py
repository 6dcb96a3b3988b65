from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.kraken.messages import decode_books, decode_past_trades, seconds_ns
from tests.workers.exchanges.kraken.samples import book_row, frame


def test_digits_of_prices_and_quantities_are_kept() -> None:
    (row,) = decode_books(frame("book", "update", book_row([("105944.20", "0.00000000")], [("1", "5e-7")], 5))).data
    assert [(level.price, level.size) for level in row.bids] == [("105944.20", "0.00000000")]
    assert [(level.price, level.size) for level in row.asks] == [(1, "5e-7")]


@pytest.mark.parametrize("checksum", [-1, 2**32])
def test_a_checksum_has_32_bits(checksum: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_books(frame("book", "update", book_row([], [], checksum)))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1618678123.481570", 1_618_678_123_481_570_000),
        ("1618678123.4815701", 1_618_678_123_481_570_100),
        ("1618678123.48157012345", 1_618_678_123_481_570_123),
        ("1618678123", 1_618_678_123_000_000_000),
        ("0", 0),
    ],
)
def test_seconds_are_read_to_the_nanosecond(text: str, ns: int) -> None:
    assert seconds_ns(text) == ns


@pytest.mark.parametrize("text", ["", "1.", ".5", "-1", "1e9", "9999999999", "99999999999", "x", "1 ", "1_0", "\u0661"])
def test_impossible_seconds_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        seconds_ns(text)


def test_an_answer_with_past_trades() -> None:
    answer = decode_past_trades(
        b'{"error":[],"result":{"XXBTZUSD":[["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]],'
        b'"last":"1688671969993150842"}}'
    )
    rows = answer.result["XXBTZUSD"]
    assert not isinstance(rows, str)
    assert (rows[0].time, rows[0].trade_id) == ("1688669597.8277369", 61044952)
