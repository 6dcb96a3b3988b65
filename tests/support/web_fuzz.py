"""Seeded wrong requests to a web view over real sockets: none may change or show anything.

    python -m tests.support.web_fuzz --count 10000 --seed 14

prints how many were refused, by status.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import string
from collections import Counter
from unittest import mock

from foxtrot_supervisor.web import connection, server
from foxtrot_supervisor.web.access import ASSETS
from tests.support.web_client import LIMIT_S, TOKEN, Served, exchange, parsed, serving

__all__ = ["CANARY", "attack", "wrong_request"]

CANARY = "canary-5f0c1d"
"""Is in everything that the view would show."""

DOUBLE_SHARE = 0.2
"""Share of wrong tokens that are the right one twice; one of them, damaged, would leave the other."""

AT_ONCE = 16
IDLE_S = 0.5
"""Seconds that the server waits for the rest of a request that is cut."""

_TARGETS = ("/api/stream", "/api/action", "/api/unlock")
_BODY = b'{"action":"restart","worker":"one.a","confirm":"one.a"}'


def wrong_request(chosen: random.Random, served: Served) -> bytes:
    """Return a request with at least one wrong part: host, origin, token, method, path, type, or bytes anywhere."""
    target = chosen.choice(_TARGETS)
    method = "GET" if target == "/api/stream" else "POST"
    parts = {
        "Host": [served.host],
        "Origin": [f"http://{served.host}"],
        "Authorization": [f"Bearer {TOKEN}"],
        "Content-Type": ["application/json"],
    }
    kinds = ["host", "origin", "token", "method", "path", "bytes"] + (["type"] if method == "POST" else [])
    wrong = chosen.sample(kinds, chosen.choice((1, 1, 1, 2, 3)))
    if "host" in wrong:
        port = served.address.port
        parts["Host"] = chosen.choice(
            [
                [],
                [""],
                ["evil.example"],
                ["127.0.0.1"],
                [f"127.0.0.1:{port + 1}"],
                [f"127.1:{port}"],
                [f"[::1]:{port}"],
                [f"evil.example:{port}"],
                [f"{served.host}.evil.example"],
                [f"user@{served.host}"],
                [served.host] * 2,
            ]
        )
    if "origin" in wrong:
        foreign = [
            "null",
            "http://evil.example",
            f"https://{served.host}",
            "file://",
            f"http://{served.host}.evil",
            "*",
        ]
        parts["Origin"] = [chosen.choice(foreign)] * chosen.choice((1, 2))
    if "token" in wrong or "bytes" in wrong:
        guess = "".join(chosen.choices(string.hexdigits, k=chosen.randrange(80)))
        tokens = [
            "Bearer",
            TOKEN,
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN}{TOKEN}",
            f"Basic {TOKEN}",
            f"Bearer {guess}",
        ]
        parts["Authorization"] = chosen.choice([[], *([token] for token in tokens)])
        if "bytes" not in wrong and chosen.random() < DOUBLE_SHARE:
            parts["Authorization"] = [f"Bearer {TOKEN}"] * 2
    if "type" in wrong:
        parts["Content-Type"] = chosen.choice([[], ["text/plain"], ["multipart/form-data"], ["application/json"] * 2])
    if "method" in wrong:
        method = chosen.choice(["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X"])
    if "path" in wrong:
        letters = "".join(chosen.choices("abcs/.%25e?&=;\\~-_0\u00e9", k=chosen.randrange(1, 60)))
        target = chosen.choice([f"/{letters}", f"{target}/{letters}", f"http://{served.host}{target}x", "/assets/../x"])
        if target.partition("?")[0] in (*ASSETS, *_TARGETS):
            target = "/none"
    body = b"" if method == "GET" else _BODY
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name in parts for value in parts[name])]
    lines += ["Connection: close", f"Content-Length: {len(body)}", "", ""]
    raw = bytearray("\r\n".join(lines).encode("latin-1", "replace") + body)
    if "bytes" in wrong:
        for _ in range(chosen.randrange(1, 6)):
            raw[chosen.randrange(len(raw))] = chosen.randrange(256)
        # whatever it says now, it ends
        raw += b"\r\n\r\n"
    return bytes(raw)


async def attack(count: int, seed: int) -> Counter[str]:
    """Send `count` wrong requests; return how many were answered in which way. Raises AssertionError for any effect."""
    chosen = random.Random(seed)
    with mock.patch.object(connection, "IDLE_S", IDLE_S), mock.patch.object(server, "BODY_S", IDLE_S):
        return await _attack(count, chosen)


async def _attack(count: int, chosen: random.Random) -> Counter[str]:
    answers: Counter[str] = Counter()
    async with serving(token_to_read=True) as served:
        served.problem = CANARY
        served.hub.publish("view", {"secret": CANARY})
        served.hub.set_incidents(CANARY, [{"seq": 1, "kind": CANARY}])
        requests = [wrong_request(chosen, served) for _ in range(count)]
        waiting = iter(requests)

        async def send() -> None:
            for raw in waiting:
                received = await exchange(served.address, raw, LIMIT_S)
                for secret in (CANARY, TOKEN):
                    assert secret.encode() not in received, (raw, received)
                status = parsed(received).status if received else 0
                assert status == 0 or 400 <= status < 500, (raw, received)
                answers[str(status) if status else "closed"] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(send())
        assert served.orders == []
        assert served.symbols == []
        assert served.lines == []
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=14)
    options = parser.parse_args()
    answers = asyncio.run(attack(options.count, options.seed))
    print(f"{answers.total()} wrong requests, seed {options.seed}: nothing changed, nothing shown; {dict(answers)}")


if __name__ == "__main__":
    main()
