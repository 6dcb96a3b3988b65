"""Every JSON document of the sheet of protocols goes through its exchange's adapter."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from tests.support.exchange_frames import FRAMES
from tests.workers.exchanges.driven import RECEIVE_NS
from tests.workers.exchanges.references import needs_references, sheet_lines

SECTIONS = {
    "## 1.": ("binance",),
    "## 2.": ("binance_usdm",),
    "## 3.": ("okx",),
    "## 4.": ("bybit", "bybit_linear"),
    "### 5.1": ("coinbase_advanced",),
    "### 5.2": ("coinbase",),
    "## 6.": ("kraken",),
    "### 7.1": ("bitfinex",),
    "### 7.2": ("deribit",),
    "### 7.3": ("bitstamp",),
    "### 7.4": ("gateio",),
    "### 7.5": ("kucoin",),
    "### 7.6": ("binance_coinm",),
    "### 7.7": ("kraken_futures",),
    "### 7.8": ("kraken",),
    "### 7.9": ("bitmex",),
    "### 7.10": ("gemini",),
    "### 7.11": ("huobi", "huobi_swap"),
    "### 7.12": ("upbit",),
    "### 7.13": ("crypto_com",),
    "### 7.14": ("hyperliquid",),
    "### 7.15": ("bitget", "bitget_futures"),
    "### 7.16": ("dydx",),
    "### 7.17": ("gateio_futures",),
    "### 7.18": ("kucoin_futures",),
}
"""The adapters that one of a section's documents may belong to."""

REQUESTS = (
    b'"op": "subscribe"',
    b'"op": "unsubscribe"',
    b'"op": "login"',
    b'"op": "ping"',
    b'"event": "subscribe"',
    b'"event": "unsubscribe"',
    b'"event": "ping"',
    b'"event": "bts:subscribe"',
    b'"event": "bts:unsubscribe"',
    b'"type": "subscribe"',
    b'"type": "unsubscribe"',
    b'"type": "ping"',
    b'"action": "subscribe"',
    b'"method": "subscribe"',
    b'"method": "unsubscribe"',
    b'"method": "ping"',
    b'"method": "public/',
    b'"channel": "spot.ping"',
    b'"channel": "futures.ping"',
    b'{"sub":',
    b'{"unsub":',
    b'{"req":',
    b'{"pong":',
    b'[{"ticket":',
)
"""Parts of what a client sends."""

NO_FRAMES = {
    b'{"lastUpdateId": 160,': "a snapshot by REST: test_books",
    b'{"lastUpdateId": 167006089178,': "a snapshot by REST: test_variants",
    b'{"lastUpdateId": 12345678,': "a snapshot by REST: gemini's test_books",
    b'{"current": 1684930166.384,': "a snapshot by REST: gateio's test_books",
    b'{"code": "200000",': "answers by REST, to the request for a token and to one for a snapshot",
    b'{"event": "login",': "the answer to a login, which no public channel needs",
    b'{"channel": "allMids",': "a channel that is not offered",
    b'{"type": "update", "eventId"': "the symbol is in the address of its connection",
    b"[": "the number of a channel means nothing before its acknowledgement",
}
"""Beginnings of documents that are no frames of a connection without subscriptions, and why."""


def _is_accepted(adapter: Adapter, line: bytes) -> bool:
    out: list[MarketEvent[str]] = []
    try:
        adapter.parse(line, RECEIVE_NS, out)
    except (msgspec.DecodeError, UnrecognizedFrame):
        assert out == []
        return False
    return True


@needs_references
@pytest.mark.parametrize("heading", SECTIONS)
def test_each_document_is_accepted_or_known_to_be_something_else(heading: str) -> None:
    by_name = {adapter.name: adapter for adapter in FRAMES}
    adapters = [by_name[name](adopt=True) for name in SECTIONS[heading]]
    lines = sheet_lines(heading)
    assert lines
    refused = [line for line in lines if not any(_is_accepted(adapter, line) for adapter in adapters)]
    frames = [line for line in refused if not any(part in line for part in REQUESTS)]
    assert [line for line in frames if not line.startswith(tuple(NO_FRAMES))] == []
