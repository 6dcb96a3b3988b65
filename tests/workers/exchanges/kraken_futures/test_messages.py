from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.exchanges.kraken_futures.messages import decode_book, decode_ticker
from tests.workers.exchanges.kraken_futures.samples import change, ticker


def test_exponents_keep_their_digits() -> None:
    assert decode_ticker(ticker()).relative_funding_rate == "-1.380384722222e-6"


@pytest.mark.parametrize(
    "damage", [(b'"sell"', b'"up"'), (b'"seq":5', b'"seq":-5'), (b'"timestamp":1', b'"timestamp":-1')]
)
def test_wrong_types_are_refused(damage: tuple[bytes, bytes]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_book(change(5).replace(*damage))
