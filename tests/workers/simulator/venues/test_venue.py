"""What every venue keeps."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.catalog import make_venue
from foxtrot_workers.simulator.venues.options import ExchangeName
from foxtrot_workers.simulator.venues.venue import SNAPSHOT

BOOKS: list[tuple[ExchangeName, str, str]] = [
    ("binance", "btcusdt@depth@100ms", "btcusdt@trade"),
    ("okx", "channel=books/instId=BTC-USDT", "channel=books5/instId=BTC-USDT"),
    ("bybit", "spot/orderbook.50.BTCUSDT", "spot/publicTrade.BTCUSDT"),
    ("coinbase", "level2_batch:BTC-USD", "matches:BTC-USD"),
    ("kraken", "book/10/BTC/USD", "trade/BTC/USD"),
]


@pytest.mark.parametrize(("name", "book", "other"), BOOKS)
def test_updates_of_books_are_told_from_the_rest(name: ExchangeName, book: str, other: str) -> None:
    venue = make_venue(name)
    assert venue.is_book(book)
    assert not venue.is_book(other)
    assert not venue.is_book(book + SNAPSHOT), "a fault that drops updates leaves the snapshot"


@pytest.mark.parametrize(
    ("name", "path", "well", "maintained"),
    [
        ("kraken", "/0/public/SystemStatus", b"online", b"maintenance"),
        ("coinbase", "/anything", None, None),
    ],
)
def test_the_state_of_the_exchange_is_answered_where_it_can_be_requested(
    name: ExchangeName, path: str, well: bytes | None, maintained: bytes | None
) -> None:
    venue = make_venue(name)
    assert venue.state("/other", "") is None
    for text, expected in (("", well), ("engine", maintained)):
        answer = venue.state(path, text)
        assert (answer is not None and expected is not None and expected in answer.body) or answer is expected is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("binance", b"-1003"),
        ("okx", b'"50011"'),
        ("bybit", b"10006"),
        ("coinbase", b'"message"'),
        ("kraken", b"EGeneral:Too many requests"),
    ],
)
def test_too_many_requests_are_refused_in_the_words_of_the_exchange(name: ExchangeName, text: bytes) -> None:
    answer = make_venue(name).failure(429, "Too many requests", 3.0)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
    assert text in answer.body
    assert make_venue(name).failure(405, "Method not allowed").headers == {}
