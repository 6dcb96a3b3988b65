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
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from foxtrot_protocol.events import Gap, MarketEvent
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.testing.backfills import check_backfill, check_backfill_samples
from foxtrot_workers.testing.facts import facts_defects
from foxtrot_workers.testing.frames import (
    check_damage,
    check_order,
    check_repetition,
    check_staleness,
    check_variations,
)
from foxtrot_workers.testing.round_trip import Answerer, check_round_trip
from foxtrot_workers.testing.samples import (
    NESTING,
    RECEIVE_NS,
    AdapterSample,
    BackfillSample,
    NotConforming,
    check_events,
    feed_anything,
    feed_before,
    require,
    short,
    subscribed,
    topic_of,
)

__all__ = ["AdapterSample", "Answerer", "BackfillSample", "NotConforming", "check_adapter", "feed_anything"]

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

HOSTILE_ANSWERS = (b"", b"{}", b"[]", b"[[]]", b"null", b"\xff", b"[" * NESTING, b'{"unknown":' + b"[" * NESTING)
"""Answers to requests by REST."""


def check_adapter(
    adapter_class: type[Adapter],
    samples: Sequence[AdapterSample],
    *,
    backfills: Sequence[BackfillSample] = (),
    connect: Callable[[], Answerer] | None = None,
    seed: int = 1,
) -> None:
    """Check `adapter_class` against every rule.

    Args:
        adapter_class: the adapter.
        samples: at least one for each of its channels.
        backfills: one for each channel whose past trades can be fetched.
        connect: opens a connection of an exchange, or of what answers requests like it: a function from a request text
            to its answers. Without it acknowledgements are not checked.
        seed: of the damage to frames; the same seed does the same damage.

    Raises:
        NotConforming: the first rule that is broken.
    """
    _check_declarations(adapter_class)
    missing = adapter_class.channels - {sample.channel for sample in samples}
    require(not missing, f"no sample for the channels {sorted(missing)}")
    _check_topics(adapter_class, samples)
    _check_requests(adapter_class, samples)
    _check_access(adapter_class)
    for sample in samples:
        _check_sample(adapter_class, sample)
        check_repetition(adapter_class, sample)
        check_staleness(adapter_class, sample)
        if connect is not None:
            check_round_trip(adapter_class, sample, connect)
    for frame in HOSTILE_FRAMES:
        feed_anything(adapter_class(), frame)
        feed_anything(adapter_class(adopt=True), frame)
    rng = random.Random(seed)
    check_order(adapter_class, samples, rng)
    for sample in samples:
        check_damage(adapter_class, sample, rng)
        check_variations(adapter_class, sample, rng)
    _check_rest(adapter_class, samples)
    _check_instruments(adapter_class, samples)
    _check_liveness(adapter_class, samples)
    check_backfill_samples(adapter_class, samples, backfills)
    for backfill in backfills:
        check_backfill(adapter_class, backfill, rng)


def _check_declarations(adapter_class: type[Adapter]) -> None:
    name, limits = adapter_class.name, adapter_class.limits
    require(
        bool(name) and name == name.lower() and name.isidentifier(), f"name {name!r} is not a lower-case identifier"
    )
    require(adapter_class.exchange == adapter_class.exchange.upper(), "exchange is not in upper case")
    require(bool(adapter_class.channels), "there are no channels")
    require(
        urlsplit(adapter_class.url).scheme in ("ws", "wss"), f"url {adapter_class.url!r} is not a WebSocket address"
    )
    require(urlsplit(adapter_class.rest_url).scheme in ("http", "https"), "rest_url is not an HTTP address")
    require(limits.silence_s > 0 and limits.acknowledge_s > 0, "limits: a time is not positive")
    require(limits.topics_max >= 1 and limits.topics_per_request >= 1, "limits: no topic is allowed")
    require(limits.send_interval_s >= 0, "limits: the send interval is negative")
    if limits.ping_text is not None:
        require(
            0 < limits.ping_idle_s < limits.silence_s,
            "limits: ping_idle_s is not within silence_s: the ping comes too late",
        )
    if limits.ping_interval_s is not None:
        require(
            limits.ping_text is not None and limits.ping_interval_s > 0,
            "limits: ping_interval_s without ping_text, or not positive",
        )
    defects = facts_defects(adapter_class)
    require(not defects, "; ".join(defects))


def _check_topics(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    for sample in samples:
        adapter = adapter_class()
        topics = adapter.topics([sample.channel], [sample.symbol, sample.symbol])
        require(len(topics) == 1, f"a repeated symbol of {sample.channel} does not give one topic: {topics}")
        require(topics[0].channel == sample.channel, f"{topics[0]} is not of channel {sample.channel}")
        again = adapter_class().topics([sample.channel], [sample.symbol])
        require(topics == again, f"topics differ from one adapter to the next: {topics}, {again}")
    wires = [topic_of(adapter_class(), sample).wire for sample in samples]
    kinds = {(sample.channel, sample.symbol) for sample in samples}
    require(len(set(wires)) == len(kinds), "different topics have the same wire name")
    try:
        adapter_class().topics(["no_such_channel"], [samples[0].symbol])
    except ValueError:
        return
    raise NotConforming("topics accepts a channel that is not in channels")


def _check_requests(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    limits = adapter_class.limits
    adapter = adapter_class()
    require(bool(urlsplit(adapter.address(adapter_class.url)).netloc), "address does not return an address")
    channel, symbol = samples[0].channel, samples[0].symbol
    count = min(limits.topics_max, 2 * limits.topics_per_request + 1)
    topics = adapter.topics([channel], [f"{symbol}{number}" for number in range(count)])
    require(len({topic.wire for topic in topics}) == count, "wire names of different symbols are the same")
    for make_requests in (adapter.subscribe, adapter.unsubscribe):
        texts = make_requests(topics)
        if make_requests == adapter.unsubscribe and not texts:
            continue  # what the exchange has not acknowledged yet may have no name for it
        require(len(texts) >= math.ceil(count / limits.topics_per_request), "a request holds too many topics")
        require(all(text.strip() for text in texts), "an empty request")
        require(len(set(texts)) == len(texts), "two requests are equal: their answers could not be distinguished")
    require(adapter.subscribe([]) == [], "subscribing no topics makes a request")
    require(not adapter.notices, "requests made notices, though nothing has been answered yet")


def _check_access(adapter_class: type[Adapter]) -> None:
    request = adapter_class().access_request()
    if request is None:
        return
    require(request.path.startswith("/") and request.weight >= 1, f"{request} is not a usable request")
    require(request == adapter_class().access_request(), "access is requested in two ways")
    for body in (b"", b"{}", b"[]", b"null", b"\xff", b"[" * NESTING, b'{"data":{}}', b'{"code":"0","data":null}'):
        try:
            adapter_class().on_access(adapter_class.url, body)
        except (msgspec.DecodeError, ValueError):
            continue
        except Exception as error:
            raise NotConforming(f"on_access raised {type(error).__name__} ({error}) for {short(body)}") from error
        raise NotConforming(f"on_access accepts {short(body)}")


def _check_sample(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    stranger = adapter_class()
    feed_before(stranger, sample)
    try:
        stranger.parse(sample.frame, RECEIVE_NS, [])
    except UnrecognizedFrame:
        pass
    except msgspec.DecodeError as error:
        raise NotConforming(f"the sample cannot be decoded ({error}): {short(sample.frame)}") from error
    else:
        raise NotConforming(f"a frame of {sample.channel} was accepted without a subscription")
    topic = topic_of(adapter_class(), sample)
    adapter = subscribed(adapter_class, sample)
    events = feed_anything(adapter, sample.frame)
    require(
        len(events) >= sample.events,
        f"{len(events)} events instead of {sample.events} or more of {short(sample.frame)}",
    )
    for event in events:
        require(event.symbol == topic.symbol, f"symbol {event.symbol!r} instead of {topic.symbol!r}")
    if any(not isinstance(event, Gap) for event in events):
        seen = adapter.last_data_ns.get(topic.wire)
        require(seen == RECEIVE_NS, f"last_data_ns[{topic.wire!r}] is {seen} after data")
    require(adapter.last_data_ns.keys() <= {topic.wire}, "last_data_ns has a topic that was not subscribed")
    recorded = adapter_class(adopt=True)
    feed_before(recorded, sample)
    adopting = feed_anything(recorded, sample.frame)
    if not sample.distinct:
        return
    # replay publishes everything that a topic carries, a connection only the channels that were subscribed
    remaining = iter(adopting)
    require(
        all(event in remaining for event in events),
        f"the same frame makes other events in replay: {short(sample.frame)}",
    )


def _check_rest(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    for sample in samples:
        adapter = adapter_class()
        topic = topic_of(adapter, sample)
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
    check_events(adapter, out)


def _check_instruments(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    adapter = adapter_class()
    for sample in samples:
        require(bool(adapter.instrument(sample.symbol)), f"no instrument name for {sample.symbol}")
    for symbol in ("", "\x00", "-", "--", "A" * 1000, "A-B-C-D-E"):
        adapter.instrument(symbol)
    path = adapter.instruments_path([sample.symbol for sample in samples])
    require(path is None or path.startswith("/"), f"instruments_path {path!r} is not a path")
    for body in HOSTILE_ANSWERS:
        try:
            names = adapter.instruments(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        except Exception as error:
            raise NotConforming(f"instruments raised {type(error).__name__} ({error}) for {short(body)}") from error
        require(isinstance(names, dict), f"instruments returns {names!r}")


def _check_liveness(adapter_class: type[Adapter], samples: Sequence[AdapterSample]) -> None:
    for sample in samples:
        adapter = adapter_class()
        topic = topic_of(adapter, sample)
        request = adapter.liveness_request(topic)
        if request is None:
            continue
        require(request.path.startswith("/") and request.weight >= 1, f"{request} is not a usable request")
        for body in HOSTILE_ANSWERS:
            try:
                token = adapter.liveness_token(topic, body)
            except (msgspec.MsgspecError, ValueError, RecursionError, LookupError):
                continue
            except Exception as error:
                raise NotConforming(
                    f"liveness_token raised {type(error).__name__} ({error}) for {short(body)}"
                ) from error
            require(isinstance(token, str), f"liveness_token returns {token!r}")
