"""Unknown symbols are found whatever the exchange answers; without a readable list all symbols count as known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.feed.symbol_check import SymbolCheck

Answer = tuple[int, bytes]


class Rest:
    """Answers at once, by a function of the path."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self.paths: list[str] = []
        self.refuse = False

    def fetch(self, key: str, path: str, delay_s: float, on_answer: Callable[..., None], weight: int = 1) -> bool:
        if self.refuse:
            return False
        self.paths.append(path)
        on_answer(path, *self._answer(path))
        return True

    def cancel(self, key: str) -> None:
        """Nothing waits here."""


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(event)


def binance_list(*symbols: str) -> bytes:
    rows = [{"symbol": symbol, "baseAsset": symbol[:3], "quoteAsset": symbol[3:]} for symbol in symbols]
    return msgspec.json.encode({"symbols": rows})


def okx_list(*symbols: str) -> bytes:
    return msgspec.json.encode({"code": "0", "data": [{"instId": symbol} for symbol in symbols]})


def verdict(adapter: Any, rest: Rest, symbols: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    log = Log()
    verdicts: list[dict[str, str]] = []
    SymbolCheck(adapter, rest, log).start("k", symbols, verdicts.append)  # type: ignore[arg-type]  # stand-ins
    (unknown,) = verdicts
    return unknown, log.lines


def test_known_symbols_cost_one_narrow_request() -> None:
    rest = Rest(lambda _: (200, binance_list("BTCUSDT", "ETHUSDT")))
    assert verdict(Binance(), rest, ["BTCUSDT", "ETHUSDT"]) == ({}, [])
    assert len(rest.paths) == 1
    assert "symbols=" in rest.paths[0]


@pytest.mark.parametrize("status", [200, 400])
def test_one_unknown_symbol_among_known_ones_is_named_with_its_nearest(status: int) -> None:
    def answer(path: str) -> Answer:
        if "symbols=" in path:
            return status, binance_list("BTCUSDT") if status == 200 else b'{"code":-1121,"msg":"Invalid symbol."}'
        return 200, binance_list("BTCUSDT", "ETHUSDT", "ETHBTC")

    rest = Rest(answer)
    unknown, log = verdict(Binance(), rest, ["BTCUSDT", "ETHUSTD"])
    assert list(unknown) == ["ETHUSTD"]
    assert unknown["ETHUSTD"].startswith("binance has no symbol ETHUSTD (nearest: ETHUSDT")
    assert rest.paths[1:] == ["/api/v3/exchangeInfo"]
    assert log == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((503, b""), "instruments_unavailable"),
        ((429, b""), "instruments_unavailable"),
        ((0, b"no answer"), "instruments_unavailable"),
        ((400, b"{}"), "instruments_unavailable"),
        ((200, b"<html>"), "instruments_unreadable"),
    ],
)
def test_without_a_list_all_symbols_count_as_known(answer: Answer, told: str) -> None:
    assert verdict(Binance(), Rest(lambda _: answer), ["BTCUSDT"]) == ({}, [told])


def test_with_an_empty_list_all_symbols_count_as_known() -> None:
    assert verdict(Binance(), Rest(lambda _: (200, binance_list())), ["BTCUSDT"]) == ({}, [])


def test_with_too_many_requests_all_symbols_count_as_known() -> None:
    rest = Rest(lambda _: (200, b""))
    rest.refuse = True
    assert verdict(Binance(), rest, ["BTCUSDT"]) == ({}, ["instruments_unavailable"])


def test_each_kind_of_instrument_has_its_list() -> None:
    def answer(path: str) -> Answer:
        return 200, okx_list("BTC-USDT-SWAP") if "SWAP" in path else okx_list("BTC-USDT", "ETH-USDT")

    rest = Rest(answer)
    unknown, _ = verdict(Okx(), rest, ["BTC-USDT", "BTCUSDT", "BTC-USDT-SWAP", "BTC-USD-240329-50000-C"])
    assert list(unknown) == ["BTCUSDT"]
    assert "nearest: BTC-USDT" in unknown["BTCUSDT"]
    assert len(rest.paths) == 2, "options are listed by family: they are not looked up"
