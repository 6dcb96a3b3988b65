"""Checks of single values: types, addresses, handlers, symbols. Each returns reasons, in the words of a message."""

from __future__ import annotations

import contextlib
import difflib
import ipaddress
import re
import shlex
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from foxtrot_protocol.channels import kind_of
from foxtrot_supervisor.config.setting import number_text

__all__ = [
    "EMBEDDED_EXCHANGE",
    "SYMBOL_CHARACTERS_MAX",
    "absence",
    "closest",
    "command_reason",
    "expected",
    "fits",
    "found",
    "handler_reason",
    "is_loopback",
    "key_text",
    "listen_reason",
    "offered",
    "proxy_reason",
    "repeated",
    "rest_url_beside",
    "short",
    "split_address",
    "symbol_reason",
    "url_reasons",
]

SYMBOL_CHARACTERS_MAX = 64

EMBEDDED_EXCHANGE = "sim"
"""Exchange that, without ``url``, is served by a child of the supervisor."""

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_SECRET_PARAMETERS = frozenset(
    ("token", "key", "apikey", "api_key", "secret", "signature", "sign", "password", "passphrase", "listenkey")
)


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[host]:port``; raises ValueError with the reason."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f'must be host:port, not "{short(text)}"')
    if any(character.isspace() or not character.isprintable() for character in host) or "/" in host:
        raise ValueError(f'has no usable host: "{short(host)}"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f'must have its IPv6 address in brackets, as "[::1]:9464", not "{short(text)}"')
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'must have a port from 0 to 65535, not "{short(port)}"')
    return host, int(port)


def listen_reason(text: str) -> str | None:
    """Return why `text` is no address to listen at, None if it is one."""
    try:
        split_address(text)
    except ValueError as error:
        return str(error)
    return None


def command_reason(text: str) -> str | None:
    """Return why `text` is no command with arguments, None if it is one."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        return f"cannot be split into words: {error}"
    if not words or not words[0]:
        return "is empty"
    return "holds a NUL" if "\0" in text else None


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    if host in _LOOPBACK:
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def expected(hint: Any) -> str:
    """Return in words which values the type `hint` has."""
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        return "a list of texts"
    return {str: "text", bool: "true or false", int: "a whole number", float: "a number"}[hint]


def found(value: object) -> str:
    """Return in words what `value` is, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'the text "{short(value)}"'
    if isinstance(value, int | float):
        return number_text(value)
    return f"the {type(value).__name__} {value}"


def short(text: str) -> str:
    """Return `text`, at most 60 characters of it."""
    return text if len(text) <= 60 else text[:57] + "..."


def fits(hint: Any, value: object) -> bool:
    """Return whether `value`, read from TOML, has the type `hint`; a whole number is a number as well."""
    if typing.get_origin(hint) is Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if typing.get_origin(hint) is list:
        return isinstance(value, list) and all(isinstance(element, str) for element in value)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, hint)


def closest(word: str, known: Iterable[str]) -> str:
    """Return the question whether the closest word among `known` was meant, "" if none is close."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def absence(channel: str, absent: Mapping[str, str]) -> str:
    """Return why an exchange has not `channel`, to follow on its name; "" where `absent` names no reason.

    `absent`: reasons by channel, or by kind of channel (`kind_of`).
    """
    reason = absent.get(channel) or absent.get(kind_of(channel))
    return f": {reason}" if reason else ""


def offered(channels: Iterable[str]) -> str:
    """Return the names of `channels`, sorted, with all bars as one."""
    names = sorted(channels)
    intervals = [name.removeprefix("bar_") for name in names if name.startswith("bar_")]
    if len(intervals) < 3:
        return ", ".join(names)
    bars = f"bar_INTERVAL with INTERVAL {', '.join(intervals)}"
    return ", ".join([name for name in names if not name.startswith("bar_")] + [bars])


def repeated(values: Sequence[str]) -> list[str]:
    """Return the values that occur more than once, sorted."""
    return sorted(value for value, count in Counter(values).items() if count > 1)


def url_reasons(url: str, schemes: Sequence[str]) -> list[str]:
    """Return why `url` cannot be used, empty if it can. The reasons never contain the URL, which may hold a secret."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        return [f"is not a URL: {error}"]
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    reasons = []
    if parts.scheme not in schemes:
        reasons.append(f"must begin with {wanted}")
    elif not host:
        reasons.append("names no host")
    if parts.username is not None or parts.password is not None:
        reasons.append("must not hold a user or password: this file must not contain secrets")
    secret = sorted(key for key, _ in parse_qsl(parts.query) if key.lower() in _SECRET_PARAMETERS)
    if secret:
        reasons.append(f'must not hold the parameter "{secret[0]}": this file must not contain secrets')
    return reasons


def proxy_reason(url: str) -> str | None:
    """Return why a well-formed `url` is not the address of a proxy, None if it is."""
    with contextlib.suppress(ValueError):  # reported already
        parts = urlsplit(url)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            return "must end after the port: a proxy has no path, query or fragment"
    return None


def rest_url_beside(url: str, exchange: str | None, testnet_url: str, testnet_rest_url: str) -> dict[str, str]:
    """Return the ``rest_url`` that belongs to the `url` of a simulator or of a test network, {} for any other `url`.

    Without it a book of other updates would be built on a snapshot of the real exchange. `testnet_url` and
    `testnet_rest_url`: addresses of the exchange's test network, "" for none.
    """
    with contextlib.suppress(ValueError):  # a wrong URL has been reported
        parts = urlsplit(url)
        if parts.hostname and testnet_rest_url and parts.hostname == urlsplit(testnet_url).hostname:
            return {"rest_url": testnet_rest_url}
        if parts.netloc and (exchange == EMBEDDED_EXCHANGE or parts.hostname in _LOOPBACK):
            return {"rest_url": f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"}
    return {}


def handler_reason(handler: str) -> str | None:
    """Return why `handler` does not name a function, None if it does."""
    module, colon, function = handler.partition(":")
    if colon and all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        return None
    return f'must be "module:function", not "{short(handler)}"'


def symbol_reason(symbol: str) -> str | None:
    """Return why `symbol` cannot be a symbol of any exchange, None if it can."""
    if not symbol:
        return "is empty"
    if len(symbol) > SYMBOL_CHARACTERS_MAX:
        return f"has more than {SYMBOL_CHARACTERS_MAX} characters"
    if not symbol.isprintable() or " " in symbol:
        return f"holds a space or a control character: {symbol!r}"
    return None


def key_text(key: str) -> str:
    """Return `key` as TOML writes it: quoted if it holds dots, so that it does not look like a path."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{short(key)}"'
