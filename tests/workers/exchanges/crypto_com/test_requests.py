from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from foxtrot_workers.exchanges.crypto_com.requests import retry_of
from tests.workers.exchanges.crypto_com.samples import PERPETUAL, connection, frame, trade

WIRE = f"trade.{PERPETUAL}"


def test_a_request_names_topics_and_how_books_are_sent() -> None:
    adapter = CryptoCom()
    adapter.opened_ns = 1_587_523_073_344_000_000
    (text,) = adapter.subscribe(adapter.topics(["trade", "book"], ["BTC_USD"]))
    assert text == (
        '{"id":1,"method":"subscribe","params":{"channels":["trade.BTC_USD","book.BTC_USD.50"],'
        '"book_subscription_type":"SNAPSHOT_AND_UPDATE","book_update_frequency":10},"nonce":1587523073345}'
    )
    (text,) = adapter.unsubscribe(adapter.topics(["trade"], ["BTC_USD"]))
    assert text == '{"id":2,"method":"unsubscribe","params":{"channels":["trade.BTC_USD"]},"nonce":1587523073346}'


@pytest.mark.parametrize("answer", [{"id": 1, "channel": WIRE}, {"id": 1}, {"id": "1"}])
def test_an_acknowledgement_names_a_channel_or_its_request(answer: dict[str, Any]) -> None:
    wire = connection("trade")
    wire.parse({"method": "subscribe", "code": 0, **answer})
    assert wire.take_notices() == [Acknowledged((WIRE,))]


@pytest.mark.parametrize("answer", [{}, {"id": 9}, {"id": -1, "channel": "trade.X"}])
def test_an_acknowledgement_of_nothing_known(answer: dict[str, Any]) -> None:
    wire = connection("trade")
    wire.parse({"method": "subscribe", "code": 0, **answer})
    assert wire.take_notices() == []


def test_first_data_come_in_place_of_an_acknowledgement() -> None:
    wire = connection("trade")
    wire.parse({**frame(WIRE, trade()), "id": 1})
    wire.parse(frame(WIRE, trade()))
    assert wire.take_notices() == [Acknowledged((WIRE,))]


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        (
            {"message": f'invalid channel {{"channels":["{WIRE}"]}}', "id": 0},
            Refused((WIRE,), f'10004: invalid channel {{"channels":["{WIRE}"]}}', "never"),
        ),
        ({"message": "bad", "id": 1}, Refused((WIRE, "trade.A_B"), "10004: bad", "never", exact=False)),
        ({"message": "bad", "id": 0}, Refused((), "10004: bad", "never", exact=False)),
        ({"message": "busy", "id": 1, "code": 42901}, Refused((WIRE, "trade.A_B"), "42901: busy", exact=False)),
        ({"message": f"duplicate {WIRE}", "code": 40003}, Refused((WIRE,), f"40003: duplicate {WIRE}", "never")),
    ],
)
def test_refusals(changes: dict[str, Any], notice: Refused) -> None:
    wire = connection("trade", symbols=[PERPETUAL, "A_B"])
    wire.parse({"method": "subscribe", "code": 10004, **changes})
    assert wire.take_notices() == [notice]


def test_a_duplicate_of_a_flowing_topic_does_no_harm() -> None:
    wire = connection("trade")
    wire.parse(frame(WIRE, trade()))
    wire.take_notices()
    wire.parse({"method": "subscribe", "code": 40003, "message": f"unknown or duplicate {WIRE}"})
    assert wire.take_notices() == [Acknowledged((WIRE,))]


def test_an_unsubscription_that_was_taken_back_does_not_end_the_topic() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"method": "unsubscribe", "code": 0, "id": 2})
    assert wire.take_notices() == []
    assert len(wire.parse(frame(WIRE, trade()))) == 1


def test_what_passes_is_tried_later() -> None:
    assert [retry_of(code) for code in (10004, 40107, 10001, 42901, 50001, 77777)] == [
        *("never", "never", "later", "later", "later", "later"),
    ]
