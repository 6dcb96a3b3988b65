"""What every session shares."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.binance.session import BinanceSession
from foxtrot_workers.simulator.venues.okx.session import OkxSession
from foxtrot_workers.simulator.venues.session import Close, Send, Session


@pytest.mark.parametrize("session", [BinanceSession("/ws"), OkxSession()])
def test_a_new_session_holds_nothing(session: Session) -> None:
    assert list(session.topics) == []
    assert session.subscribed_total == 0


def test_replies_are_values() -> None:
    assert Send("a") == Send("a")
    assert Close(1000, "") != Close(1001, "")


def test_what_a_session_does_not_say_otherwise() -> None:
    session = OkxSession()
    assert session.form == ""
    assert session.greeting(1) == []
    assert session.wants_first("trades:BTC-USDT")
    assert session.envelope("trades:BTC-USDT", b"{}") == b"{}"
    assert '"64008"' in session.shutdown_notice(1)


def test_binance_names_the_stream_on_combined_connections_only() -> None:
    raw, combined = BinanceSession("/ws"), BinanceSession("/stream")
    assert (raw.form, combined.form) == ("raw", "combined")
    assert raw.envelope("a@trade", b"{}") == b"{}"
    assert combined.envelope("a@trade", b"{}") == b'{"stream":"a@trade","data":{}}'
    for session in (raw, combined):
        assert "serverShutdown" in session.shutdown_notice(1)
