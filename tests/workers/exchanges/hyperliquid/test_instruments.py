from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC", "BTC-USD-PERP"),
        ("kPEPE", "kPEPE-USD-PERP"),
        ("xyz:TSLA", "xyz:TSLA-USD-PERP"),
        ("PURR/USDC", "PURR-USDC"),
        ("@107", "@107"),
        ("#12", "#12"),
        ("", ""),
    ],
)
def test_the_name_says_what_a_coin_is(symbol: str, instrument: str) -> None:
    assert Hyperliquid().instrument(symbol) == instrument


def test_there_is_no_list_without_a_posted_request() -> None:
    assert Hyperliquid().instruments_path(["BTC"]) is None
