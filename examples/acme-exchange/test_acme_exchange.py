"""The proof: the conformance suite, with frames and answers as Acme's documentation shows them."""

from __future__ import annotations

import json

from acme_exchange import Acme

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import Refused, Resubscribe
from foxtrot_workers.testing.conformance import AdapterSample, Answerer, check_adapter

TRADE = b'{"ch":"trades:BTC-USD","id":7,"px":"64000.1","sz":"0.5","side":"buy","t":1700000000000}'
BOOK = b'{"ch":"book:BTC-USD","prev":0,"seq":4,"bids":[["63999.9","2"]],"asks":[["64000.1","1"]],"t":1700000000000}'


def connect() -> Answerer:
    """A connection of an exchange that accepts everything but one market."""

    def answer(text: str) -> list[bytes]:
        request = json.loads(text)
        if any("NO-SUCH" in wire for wire in request["args"]):
            return [json.dumps({"op": request["op"], "id": request["id"], "error": "no such market"}).encode()]
        return [json.dumps({"op": request["op"], "id": request["id"], "ok": request["args"]}).encode()]

    return answer


def test_acme_conforms() -> None:
    samples = [AdapterSample("trade", "BTC-USD", TRADE), AdapterSample("book", "BTC-USD", BOOK)]
    check_adapter(Acme, samples, connect=connect)


def test_an_unknown_market_is_refused_for_good() -> None:
    acme = Acme()
    (request,) = acme.subscribe(acme.topics(["trade"], ["NO-SUCH"]))
    for frame in connect()(request):
        acme.parse(frame, 1, [])
    assert acme.notices == [Refused(("trades:NO-SUCH",), "no such market", "never")]


def test_a_missing_update_of_a_book_is_noticed() -> None:
    acme = Acme(adopt=True)
    out: list = []
    acme.parse(BOOK, 1, out)
    for previous, sequence in ((4, 5), (6, 7)):
        update = {"ch": "book:BTC-USD", "prev": previous, "seq": sequence, "bids": [], "asks": [], "t": 1}
        acme.parse(json.dumps(update).encode(), 2, out)
    assert [type(event) for event in out] == [BookSnapshot, BookDelta, Gap]
    assert any(isinstance(notice, Resubscribe) for notice in acme.notices)
