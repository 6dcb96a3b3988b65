from __future__ import annotations

from foxtrot_workers.exchanges.coinbase_advanced.adapter import CoinbaseAdvanced
from foxtrot_workers.exchanges.coinbase_advanced.parsers import Parsers
from foxtrot_workers.exchanges.coinbase_advanced.routes import by_beginning, by_channel


def test_the_beginning_of_a_frame_names_its_channel() -> None:
    parsers = Parsers(CoinbaseAdvanced(), lambda wire: None)
    table = by_beginning(parsers)
    assert table[b'{"channel":"l2_data"'] == by_channel(parsers)["l2_data"] == parsers.parse_books
    assert len(table) == 4
