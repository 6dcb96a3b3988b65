"""Time and state of the exchange."""

from __future__ import annotations

from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.system import STATUS, TIME


def test_time() -> None:
    assert TIME.read_ns(b'{"code":"200000","data":1546837113087}') == 1_546_837_113_087_000_000


def test_state() -> None:
    assert STATUS.read(b'{"code":"200000","data":{"status":"open","msg":""}}') == ""
    assert STATUS.read(b'{"code":"200000","data":{"status":"cancelonly","msg":"x"}}') == ""
    assert (
        STATUS.read(b'{"code":"200000","data":{"status":"close","msg":"upgrade match engine"}}')
        == "upgrade match engine"
    )
    assert STATUS.read(b'{"code":"200000","data":{"status":"close","msg":null}}') == "close"


def test_the_adapter_says_where_both_are() -> None:
    assert (Kucoin().system_time(), Kucoin().system_status()) == (TIME, STATUS)
