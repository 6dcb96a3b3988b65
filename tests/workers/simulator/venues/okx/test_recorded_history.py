"""Pages of past trades, the latest first."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_workers.simulator.venues.okx.recorded_history import PAGE_MAX, OkxHistory
from tests.workers.exchanges.samples import okx_frame, okx_trade

NUMBERS = range(7, 7 + 3 * 250, 3)
HISTORY = OkxHistory(
    [
        *(okx_frame("trades", "BTC-USDT", [okx_trade(tradeId=str(number))]) for number in NUMBERS),
        okx_frame("trades", "ETH-USDT", [okx_trade(instId="ETH-USDT", tradeId="5")]),
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"}}',
        okx_frame("trades", "X", [7, {}, okx_trade(instId="X", tradeId="none")]),
    ]
)


def ask(**query: Any) -> dict[str, Any]:
    answer = HISTORY.answer({"instId": "BTC-USDT", **{key: str(value) for key, value in query.items()}})
    assert answer.status == 200
    found: dict[str, Any] = msgspec.json.decode(answer.body)
    return found


def numbers(**query: Any) -> list[int]:
    return [int(row["tradeId"]) for row in ask(**query)["data"]]


def test_the_latest_page_comes_first() -> None:
    assert numbers() == list(reversed(NUMBERS))[:PAGE_MAX]
    assert numbers(limit=3) == list(reversed(NUMBERS))[:3]
    assert numbers(limit=1000) == numbers()
    assert ask(limit=1)["data"][0] == {**okx_trade(tradeId=str(NUMBERS[-1])), "source": "0"}


def test_older_pages_follow_to_the_first_trade() -> None:
    seen: list[int] = []
    while page := numbers(after=seen[-1] if seen else NUMBERS[-1] + 1, type=1):
        seen += page
    assert seen == list(reversed(NUMBERS))
    assert numbers(after=8) == [7]
    assert numbers(after=7) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [({"instId": "X"}, "51001"), ({"type": 2}, "51000"), ({"after": "x"}, "51000"), ({"limit": "-1"}, "51000")],
)
def test_an_invalid_request_is_an_error_with_status_200(query: dict[str, Any], code: str) -> None:
    assert (ask(**query)["code"], ask(**query)["data"]) == (code, [])
