"""The conformance suite: checks that any adapter keeps the contract of `foxtrot_workers.adapter`.

::

    from foxtrot_workers.testing.conformance import AdapterSample, check_adapter

    def test_my_exchange():
        check_adapter(MyExchange, [AdapterSample("trade", "BTCUSDT", b'{"topic":...}', events=1)])

It needs the adapter only: a package outside this tree runs it in its own tests. `check_adapter` raises
`NotConforming`, an AssertionError that names the broken rule. Give it at least one sample for each channel, from the
exchange's documents: a frame as it comes once the topic is subscribed; and a `BackfillSample` for each channel whose
past trades can be fetched. `feed_anything` is for fuzzing: it feeds one adapter any bytes and checks the result.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.commands import Backfill
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap, MarketEvent, Trade
from foxtrot_workers.adapter import Adapter, Notice, RestRequest, Topic, UnrecognizedFrame
from foxtrot_workers.feed.backfill import Backfiller, CommitPart
from foxtrot_workers.testing.facts import facts_defects

__all__ = ["AdapterSample", "BackfillSample", "NotConforming", "check_adapter", "feed_anything"]

DAMAGES_PER_FRAME = 100
"""Damaged copies that are tried of each sample: changed bytes, truncations."""

NESTING = 100_000

RECEIVE_NS = 1_700_000_000_000_000_000

HOSTILE_FRAMES = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"true",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"NaN",
    b'{"NaN":NaN}',
    b"[" * NESTING,
    b'{"data":' * NESTING,
    b'{"a":1,"a":2}',
    b'{"e":"\xc3\x28"}',
    b'{"id":99999999999999999999999999999999}',
    b'{"result":null,"id":123456789}',
    b'{"code":0,"msg":null}',
    b'{"error":{}}',
    b'{"event":"error"}',
    b'{"arg":{},"data":[]}',
    b'{"stream":"","data":{}}',
    b'{"stream":"\\u0000@trade","data":{}}',
    b"pong",
    b"ping",
)


class NotConforming(AssertionError):
    """The adapter breaks the contract of `foxtrot_workers.adapter`; the text names the rule."""


class AdapterSample(Struct, frozen=True):
    """A frame of `channel` for `symbol`, and the least number of events it makes on a new connection.

    `distinct`: False where frames do not say that they are of this channel, so that replay reads them as another's.
    `before`: frames that come before it and make no events, such as the acknowledgement that gives a channel a number.
    """

    channel: str
    symbol: str
    frame: bytes
    events: int = 1
    distinct: bool = True
    before: tuple[bytes, ...] = ()


class BackfillSample(Struct, frozen=True):
    """The answer to the first request for the trades `first_id` to `last_id`; it must contain all of them."""

    channel: str
    symbol: str
    first_id: int
    last_id: int
    body: bytes


def check_adapter(
    adapter_class: type[Adapter],
    samples: Sequence[AdapterSample],
    *,
    backfills: Sequence[BackfillSample] = (),
    seed: int = 1,
) -> None:
    """Check `adapter_class` against every rule.

    Args:
        adapter_class: the adapter.
        samples: at least one for each of its channels.
        backfills: one for each channel whose past trades can be fetched.
        seed: of the damage to frames; the same seed does the same damage.

    Raises:
        NotConforming: the first rule that is broken.
    """
    _check_declarations(adapter_class)
    missing = adapter_class.channels - {sample.channel for sample in samples}
    _require(not missing, f"no sample for the channels {sorted(missing)}")
    _check_topics(adapter_class, samples)
    _check_requests(adapter_class, samples)
    _check_access(adapter_class)
    for sample in samples:
        _check_sample(adapter_class, sample)
    for frame in HOSTILE_FRAMES:
        feed_anything(adapter_class(), frame)
        feed_anything(adapter_class(adopt=True), frame)
    rng = random.Random(seed)
    for sample in samples:
        _check_damage(adapter_class, sample, rng)
    _check_rest(adapter_class, samples)
    _check_instruments(adapter_class, samples)
    _check_backfill_samples(adapter_class, samples, backfills)
    for backfill in backfills:
        _check_backfill(adapter_class, backfill, rng)


def feed_anything(adapter: Adapter, frame: bytes) -> list[MarketEvent[str]]:
    """Feed `frame`, any bytes; return its events, which can all be sent.

    The adapter may refuse the frame with the errors of the contract, and must then have made no events.

    Raises:
        NotConforming: it raised another error, or made an event or a notice that is not allowed.
    """
    out: list[MarketEvent[str]] = []
    try:
        adapter.parse(frame, RECEIVE_NS, out)
    except (msgspec.DecodeError, UnrecognizedFrame):
        _require(not out, f"a frame that was refused has made events: {_short(frame)}")
    except Exception as error:
        raise NotConforming(f"parse raised {type(error).__name__} ({error}) for {_short(frame)}") from error
    _check_events(adapter, out)
    for notice in adapter.notices:
        _require(isinstance(notice, get_args(Notice)), f"{notice!r} is not a notice")
    adapter.notices.clear()
    return out


def _check_declarations(adapter_class: type[Adapter]) -> None:
    name, limits = adapter_class.name, adapter_class.limits
    _require(
        bool(name) and name == name.lower() and name.isidentifier(), f"name {name!r} is not a lower-case identifier"
    )
    _require(adapter_class.exchange == adapter_class.exchange.upper(), "exchange is not in upper case")
    _require(bool(adapter_class.channels), "there are no channels")
    _require(
        urlsplit(adapter_class.url).scheme in ("ws", "wss"), f"url {adapter_class.url!r} is not a WebSocket address"
    )
    _require(urlsplit(adapter_class.rest_url).scheme in ("http", "https"), "rest_url is not an HTTP address")
    _require(limits.silence_s > 0 and limits.acknowledge_s > 0, "limits: a time is not positive")
    _require(limits.topics_max >= 1 and limits.topics_per_request >= 1, "limits: no topic is allowed")
    _require(limits.send_interval_s >= 0, "limits: the send interval is negative")
    if limits.ping_text is not None:
        _require(
            0 < limits.ping_idle_s < limits.silence_s,
            "limits: ping_idle_s is not within silence_s: the ping comes too late",
        )
    if limits.ping_interval_s is not None:
        _require(
            limits.ping_text is not None and limits.ping_interval_s > 0,
            "limits: ping_interval_s without ping_text, or not positive",
        )
    defects = facts_defects(adapter_class)
    _require(not defects, "; ".join(defects))


def _check_topics(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    for sample in samples:
        adapter = adapter_class()
        topics = adapter.topics([sample.channel], [sample.symbol, sample.symbol])
        _require(len(topics) == 1, f"a repeated symbol of {sample.channel} does not give one topic: {topics}")
        _require(topics[0].channel == sample.channel, f"{topics[0]} is not of channel {sample.channel}")
        again = adapter_class().topics([sample.channel], [sample.symbol])
        _require(topics == again, f"topics differ from one adapter to the next: {topics}, {again}")
    wires = [_topic(adapter_class(), sample).wire for sample in samples]
    kinds = {(sample.channel, sample.symbol) for sample in samples}
    _require(len(set(wires)) == len(kinds), "different topics have the same wire name")
    try:
        adapter_class().topics(["no_such_channel"], [samples[0].symbol])
    except ValueError:
        return
    raise NotConforming("topics accepts a channel that is not in channels")


def _check_requests(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    limits = adapter_class.limits
    adapter = adapter_class()
    _require(bool(urlsplit(adapter.address(adapter_class.url)).netloc), "address does not return an address")
    channel, symbol = samples[0].channel, samples[0].symbol
    count = min(limits.topics_max, 2 * limits.topics_per_request + 1)
    topics = adapter.topics([channel], [f"{symbol}{number}" for number in range(count)])
    _require(len({topic.wire for topic in topics}) == count, "wire names of different symbols are the same")
    for make_requests in (adapter.subscribe, adapter.unsubscribe):
        texts = make_requests(topics)
        if make_requests == adapter.unsubscribe and not texts:
            continue  # what the exchange has not acknowledged yet may have no name for it
        _require(len(texts) >= math.ceil(count / limits.topics_per_request), "a request holds too many topics")
        _require(all(text.strip() for text in texts), "an empty request")
        _require(len(set(texts)) == len(texts), "two requests are equal: their answers could not be distinguished")
    _require(adapter.subscribe([]) == [], "subscribing no topics makes a request")
    _require(not adapter.notices, "requests made notices, though nothing has been answered yet")


def _check_access(adapter_class: type[Adapter]) -> None:
    request = adapter_class().access_request()
    if request is None:
        return
    _require(request.path.startswith("/") and request.weight >= 1, f"{request} is not a usable request")
    _require(request == adapter_class().access_request(), "access is requested in two ways")
    for body in (b"", b"{}", b"[]", b"null", b"\xff", b"[" * NESTING, b'{"data":{}}', b'{"code":"0","data":null}'):
        try:
            adapter_class().on_access(adapter_class.url, body)
        except (msgspec.DecodeError, ValueError):
            continue
        except Exception as error:
            raise NotConforming(f"on_access raised {type(error).__name__} ({error}) for {_short(body)}") from error
        raise NotConforming(f"on_access accepts {_short(body)}")


def _check_sample(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    stranger = adapter_class()
    _feed_before(stranger, sample)
    try:
        stranger.parse(sample.frame, RECEIVE_NS, [])
    except UnrecognizedFrame:
        pass
    except msgspec.DecodeError as error:
        raise NotConforming(f"the sample cannot be decoded ({error}): {_short(sample.frame)}") from error
    else:
        raise NotConforming(f"a frame of {sample.channel} was accepted without a subscription")
    adapter = adapter_class()
    topic = _topic(adapter, sample)
    adapter.subscribe([topic])
    _feed_before(adapter, sample)
    events = feed_anything(adapter, sample.frame)
    _require(
        len(events) >= sample.events,
        f"{len(events)} events instead of {sample.events} or more of {_short(sample.frame)}",
    )
    for event in events:
        _require(event.symbol == topic.symbol, f"symbol {event.symbol!r} instead of {topic.symbol!r}")
    if any(not isinstance(event, Gap) for event in events):
        seen = adapter.last_data_ns.get(topic.wire)
        _require(seen == RECEIVE_NS, f"last_data_ns[{topic.wire!r}] is {seen} after data")
    _require(adapter.last_data_ns.keys() <= {topic.wire}, "last_data_ns has a topic that was not subscribed")
    recorded = adapter_class(adopt=True)
    _feed_before(recorded, sample)
    adopting = feed_anything(recorded, sample.frame)
    if not sample.distinct:
        return
    # replay publishes everything that a topic carries, a connection only the channels that were subscribed
    remaining = iter(adopting)
    _require(
        all(event in remaining for event in events),
        f"the same frame makes other events in replay: {_short(sample.frame)}",
    )


def _feed_before(adapter: Adapter, sample: AdapterSample) -> None:
    for frame in sample.before:
        _require(not feed_anything(adapter, frame), f"a frame before the sample makes events: {_short(frame)}")


def _check_damage(adapter_class: type[Adapter], sample: AdapterSample, rng: random.Random) -> None:
    adapter = adapter_class()
    adapter.subscribe([_topic(adapter, sample)])
    adopting = adapter_class(adopt=True)
    for each in (adapter, adopting):
        _feed_before(each, sample)
    frame = sample.frame
    for _ in range(DAMAGES_PER_FRAME):
        damaged = _damaged(frame, rng)
        feed_anything(adapter, damaged)
        feed_anything(adopting, damaged)
    # still usable: a book that a damaged frame broke may wait for a snapshot, all else continues
    adapter.parse(frame, RECEIVE_NS, [])


def _damaged(frame: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    if rng.random() < 0.3:
        del damaged[rng.randrange(len(damaged)) :]
    return bytes(damaged)


def _check_rest(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    for sample in samples:
        adapter = adapter_class()
        topic = _topic(adapter, sample)
        adapter.subscribe([topic])
        for path in ("", "/", "/no/such/path?symbol=", f"/api/v3/depth?symbol={topic.symbol}"):
            for status in (0, 200, 418, 429, 500):
                for body in (b"", b"{}", b"\xff", b"[" * NESTING):
                    _check_answer(adapter, path, status, body)


def _check_answer(adapter: Adapter, path: str, status: int, body: bytes) -> None:
    out: list[MarketEvent[str]] = []
    try:
        adapter.on_rest(path, status, body, RECEIVE_NS, out)
    except Exception as error:
        raise NotConforming(f"on_rest raised {type(error).__name__} ({error}) for {path} {status}") from error
    _check_events(adapter, out)


def _check_instruments(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    adapter = adapter_class()
    for sample in samples:
        _require(bool(adapter.instrument(sample.symbol)), f"no instrument name for {sample.symbol}")
    for symbol in ("", "\x00", "-", "--", "A" * 1000, "A-B-C-D-E"):
        adapter.instrument(symbol)
    path = adapter.instruments_path([sample.symbol for sample in samples])
    _require(path is None or path.startswith("/"), f"instruments_path {path!r} is not a path")


def _check_backfill_samples(
    adapter_class: type[Adapter], samples: Sequence[AdapterSample], backfills: Sequence[BackfillSample]
) -> None:
    sampled = {backfill.channel for backfill in backfills}
    for sample in samples:
        adapter = adapter_class()
        topic = _topic(adapter, sample)
        asked = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, 1, 2, RECEIVE_NS, RECEIVE_NS)
        _require(asked is None, f"past trades of {topic.symbol} are requested without a subscription")
        adapter.subscribe([topic])
        asked = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, 1, 2, RECEIVE_NS, RECEIVE_NS)
        _require(asked is None or sample.channel in sampled, f"no BackfillSample for the channel {sample.channel}")


def _check_backfill(adapter_class: type[Adapter], sample: BackfillSample, rng: random.Random) -> None:
    adapter = adapter_class()
    topic = adapter.topics([sample.channel], [sample.symbol])[0]
    adapter.subscribe([topic])
    rule = adapter.identities.get(EVENT_MARKET_TRADE)
    _require(rule in ("sequence", "increasing"), f"identities name {rule!r} for trades: no gap in them would be found")
    request = _past_request(adapter, topic, sample.first_id, sample.last_id)
    _require(request.path.startswith("/") and request.weight >= 1, f"{request} is not a usable request")
    _require(
        request == _past_request(adapter, topic, sample.first_id, sample.last_id),
        "the same trades are requested in two ways",
    )
    others = [
        _past_request(adapter, topic, 1, 1, RECEIVE_NS - 86_400 * 10**9),
        _past_request(adapter, topic, 2**63, 2**63 + 10**6, RECEIVE_NS + 86_400 * 10**9),
    ]
    paths = {request.path, *(other.path for other in others)}
    if adapter.backfill_order == "newest":
        _require(len(paths) == 1, "the newest trades are requested in several ways")
    else:
        _require(len(paths) == 3, "different trades are requested in the same way")
    trades = _past_trades(adapter, request.path, sample.body)
    _require(bool(trades), f"no past trades in {_short(sample.body)}")
    wanted = sample.last_id - sample.first_id + 1
    backfiller = Backfiller(adapter, "conformance", 1)
    bounds = str(sample.first_id), str(sample.last_id)
    command = Backfill(1, topic.symbol, EVENT_MARKET_TRADE, *bounds, RECEIVE_NS, RECEIVE_NS)
    backfiller.ask(command, 0.0)
    effects = backfiller.answered(request.path, 200, sample.body, RECEIVE_NS, 0.0)
    events = [event for effect in effects if isinstance(effect, CommitPart) for event in effect.events]
    found = sum(isinstance(event, Trade) for event in events)
    _require(
        found == wanted if rule == "sequence" else 0 < found <= wanted,
        f"{found} of {wanted} past trades: {effects[-1]}",
    )
    for body in (b"", b"{}", b"[]", b"null", b"\xff", b"[" * NESTING, b'[{"id":{}}]', b'{"data":[[]]}'):
        _past_trades(adapter, request.path, body)
    for _ in range(DAMAGES_PER_FRAME):
        _past_trades(adapter, request.path, _damaged(sample.body, rng))


def _past_request(
    adapter: Adapter, topic: Topic, first_id: int, last_id: int, time_ns: int = RECEIVE_NS
) -> RestRequest:
    request = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, first_id, last_id, time_ns, time_ns)
    if request is None:
        raise NotConforming(f"backfill_request is None for trades {first_id} to {last_id} of {topic.wire}")
    return request


def _past_trades(adapter: Adapter, path: str, body: bytes) -> list[Trade[str]]:
    """Return the trades that the adapter reads from any `body`; [] if it refuses it with an error of the contract."""
    try:
        trades = adapter.on_backfill(path, body, RECEIVE_NS)
    except (msgspec.DecodeError, ValueError):
        return []
    except Exception as error:
        raise NotConforming(f"on_backfill raised {type(error).__name__} ({error}) for {_short(body)}") from error
    _require(all(isinstance(trade, Trade) for trade in trades), "on_backfill returns events that are not trades")
    _check_events(adapter, trades)
    return trades


def _check_events(adapter: Adapter, events: Sequence[MarketEvent[str]]) -> None:
    for event in events:
        _require(event.exchange == adapter.exchange, f"event of exchange {event.exchange!r}")
        _require(event.receive_ns == RECEIVE_NS, "receive_ns is not the argument of parse")
        _require(0 <= event.exchange_ns < 2**63, f"exchange_ns {event.exchange_ns} is out of range")
    try:
        data = BatchEncoder("worker.a", 1).encode(1, 0, events)
        same = batch_decoder("text").decode(data).events == list(events)
    except Exception as error:
        raise NotConforming(f"events cannot be sent: {type(error).__name__}: {error}") from error
    _require(same, "events differ after encoding and decoding")


def _topic(adapter: Adapter, sample: AdapterSample) -> Topic:
    return adapter.topics([sample.channel], [sample.symbol])[0]


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise NotConforming(reason)


def _short(frame: bytes) -> str:
    return repr(frame[:200])
