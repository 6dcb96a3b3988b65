from __future__ import annotations

from foxtrot_workers.exchanges.bitfinex import constants
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex


def test_tables_by_channel_name_channels() -> None:
    assert set(constants.LIMITS.stale_channel_s) <= Bitfinex.channels
    assert set(constants.BOOK_LENGTHS) == constants.BOOK_CHANNELS


def test_the_flags_are_those_of_the_documents() -> None:
    assert constants.CONF_FLAGS == 229376


def test_a_code_has_one_meaning() -> None:
    assert not constants.NEVER_CODES & constants.CLOSE_CODES
    assert constants.ALREADY_SUBSCRIBED not in constants.NEVER_CODES
