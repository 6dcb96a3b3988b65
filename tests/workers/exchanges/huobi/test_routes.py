from __future__ import annotations

from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.routes import HEAD_CHARS, head_of
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.huobi.samples import STEP0, TRADE


def test_a_frame_begins_with_its_topic() -> None:
    frame = TRADE.encode()
    assert frame[: frame.find(b'"', HEAD_CHARS)] == head_of("market.trioeth.trade.detail")


def test_topics_that_begin_alike_are_kept_apart() -> None:
    wire = Driven(Huobi, ["book5", "trade"], ["trioeth"])
    assert len(wire.parse(TRADE)) == 1
    assert len(wire.parse(STEP0.replace("depth.step0", "mbp.refresh.5").replace("version", "seqNum"))) == 1
    assert head_of("market.trioeth.mbp.5") != head_of("market.trioeth.mbp.50")
