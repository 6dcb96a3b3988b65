"""Time and state of the exchange."""

from __future__ import annotations

from foxtrot_workers.exchanges.bybit.system import STATUS, TIME


def test_time() -> None:
    body = b'{"retCode":0,"result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"},"time":1688639403423}'
    assert TIME.read_ns(body) == 1_688_639_403_423_213_947


def test_state() -> None:
    answer = '{"retCode":0,"retMsg":"","result":{"list":[%s]}}'
    over, now = '{"id":"1","title":"t","state":"completed"}', '{"id":"2","title":"t06","state":"ongoing","env":1}'
    assert STATUS.read((answer % over).encode()) == ""
    assert STATUS.read((answer % f"{over},{now}").encode()) == "t06"
