from __future__ import annotations

from foxtrot_workers.exchanges.kraken_futures.routes import beginning_of, topic_name


def test_feed_and_product_are_the_beginning() -> None:
    frame = b'{"feed":"book","product_id":"PI_XBTUSD","side":"sell"}'
    assert beginning_of(frame) == b'{"feed":"book","product_id":"PI_XBTUSD"'
    assert beginning_of(b'{"feed":"book","a":1}') == b""
    assert beginning_of(b"{}") == b""


def test_snapshots_belong_to_their_feed() -> None:
    assert topic_name("book_snapshot", "pi_xbtusd") == topic_name("book", "PI_XBTUSD") == "book:PI_XBTUSD"
