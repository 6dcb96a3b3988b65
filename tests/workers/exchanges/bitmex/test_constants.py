from __future__ import annotations

from foxtrot_workers.exchanges.bitmex import constants, parsers


def test_each_table_has_a_parser() -> None:
    assert set(constants.CHANNELS.values()) == set(parsers.FACTORIES)
    assert set(constants.CHANNELS) >= constants.BOOK_CHANNELS | constants.SHARED_CHANNELS
