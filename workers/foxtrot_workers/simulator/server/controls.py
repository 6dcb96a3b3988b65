"""Control of the simulated exchange from other processes: requests for paths below ``/sim/``.

``POST /sim/fault`` takes one `Fault` as JSON or a list of them, ``DELETE /sim/fault`` disarms all. ``GET /sim/ledger``
returns counts, ``GET /sim/sent?connection=0&stream=btcusdt@trade`` the ids sent. Only the loopback address is served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from foxtrot_workers.simulator.server.faults import Fault, FaultScript
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.wire.http_wire import HttpRequest

__all__ = ["PREFIX", "answer_control"]

PREFIX = "/sim/"

_faults_decoder = msgspec.json.Decoder(list[Fault] | Fault)


def answer_control(
    request: HttpRequest, inject: Callable[..., None], faults: FaultScript[Any], ledger: Ledger
) -> Answer:
    """Return the answer to a control request.

    Args:
        inject: arms the `Fault` objects that it is called with; may raise ValueError.
    """
    match request.method, request.path:
        case "POST", "/sim/fault":
            return _arm(request.body, inject)
        case "DELETE", "/sim/fault":
            faults.clear()
            return Answer(200, b"{}")
        case "GET", "/sim/ledger":
            return Answer(200, msgspec.json.encode(ledger.summary()))
        case "GET", "/sim/sent":
            return _sent(request, ledger)
        case _:
            return Answer(404, b'{"error":"no such control"}')


def _arm(body: bytes, inject: Callable[..., None]) -> Answer:
    try:
        decoded = _faults_decoder.decode(body)
        wanted = decoded if isinstance(decoded, list) else [decoded]
        inject(*wanted)
    except (msgspec.DecodeError, ValueError) as problem:
        return Answer(400, msgspec.json.encode({"error": str(problem)}))
    return Answer(200, msgspec.json.encode({"armed": len(wanted)}))


def _sent(request: HttpRequest, ledger: Ledger) -> Answer:
    number = request.query.get("connection", "")
    stream = request.query.get("stream", "")
    if not number.isdigit():
        return Answer(400, b'{"error":"connection: a number"}')
    body = {"ids": ledger.sent(int(number), stream), "times_ns": ledger.sent_times_ns(int(number), stream)}
    return Answer(200, msgspec.json.encode(body))
