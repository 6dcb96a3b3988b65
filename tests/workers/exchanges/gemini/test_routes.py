from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.gemini.adapter import Gemini
from foxtrot_workers.exchanges.gemini.messages import OtherMessage
from foxtrot_workers.exchanges.gemini.parsers import Parsers
from foxtrot_workers.exchanges.gemini.routes import by_first_key, by_keys
from tests.workers.exchanges.gemini.samples import depth, quote, trade


def test_the_first_key_and_all_keys_name_the_same_parser() -> None:
    parsers = Parsers(Gemini(), lambda wire: None)
    table = by_first_key(parsers)
    for message, parser in (
        (depth(1, 2), parsers.parse_depth),
        (quote(), parsers.parse_quote),
        (trade(), parsers.parse_trade),
    ):
        frame = msgspec.json.encode(message)
        assert table[frame[:5]] == parser
        assert by_keys(parsers, msgspec.json.decode(frame, type=OtherMessage)) == parser
    assert by_keys(parsers, OtherMessage()) is None
