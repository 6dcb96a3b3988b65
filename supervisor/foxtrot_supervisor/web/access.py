"""Decides which requests the web view serves. Pure.

Everything that is not listed here is refused: other hosts (against DNS rebinding), other origins (against pages that
send requests on behalf of their visitors), other paths and methods, wrong tokens. A refusal says nothing of the run.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

__all__ = [
    "ASSETS",
    "BODY_BYTES_MAX",
    "TARGET_CHARS_MAX",
    "TOKEN_CHARS_MAX",
    "TOKEN_CHARS_MIN",
    "Policy",
    "Refusal",
    "RequestFacts",
    "Route",
    "allowed_hosts",
    "digest",
    "judge",
]

TARGET_CHARS_MAX: Final = 1024
"""Characters of path and query."""

BODY_BYTES_MAX: Final = 32 * 1024
"""Bytes of a body: the symbols of one subscription."""

TOKEN_CHARS_MIN: Final = 32
TOKEN_CHARS_MAX: Final = 512
"""Characters of a token. 32 hexadecimal digits are 128 bits, which nobody guesses."""


class Route(StrEnum):
    """What a path is for."""

    PAGE = "page"
    """The page and its files. They are the same for every run, so no token is asked for."""
    STREAM = "stream"
    ACTION = "action"
    UNLOCK = "unlock"
    MOUNTED = "mounted"
    """A page of another module, such as ``/metrics``."""


ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/assets/style.css": ("style.css", "text/css; charset=utf-8"),
    "/assets/uplot.css": ("uplot.css", "text/css; charset=utf-8"),
    "/assets/uplot.js": ("uplot.js", "text/javascript; charset=utf-8"),
    "/assets/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/assets/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in (
            "actions",
            "app",
            "connections",
            "engine",
            "format",
            "incidents",
            "market",
            "overview",
            "plots",
            "stream",
            "topics",
        )
    },
}
"""Each path of the page: its file, and its content type."""

_ROUTES: Final[Mapping[str, tuple[Route, str]]] = {
    **dict.fromkeys(ASSETS, (Route.PAGE, "GET")),
    "/api/stream": (Route.STREAM, "GET"),
    "/api/unlock": (Route.UNLOCK, "POST"),
    "/api/action": (Route.ACTION, "POST"),
}

_WITH_QUERY: Final = frozenset({Route.STREAM})


class Policy(Struct, frozen=True, kw_only=True):
    """What this server accepts."""

    hosts: frozenset[str]
    """Values of ``Host``, with their ports, in lower case."""
    scheme: str
    """``http`` or ``https``."""
    token: bytes | None
    """`digest` of the token; None: nobody can act."""
    token_to_read: bool
    """Whether reading needs the token too."""


class RequestFacts(Struct, frozen=True, kw_only=True):
    """A request's line and headers. Headers are lists: a header that comes twice is refused."""

    method: str
    target: str
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    fetch_sites: Sequence[str] = ()
    authorizations: Sequence[str] = ()
    content_types: Sequence[str] = ()
    upgrades: Sequence[str] = ()


class Refusal(Struct, frozen=True):
    """Why a request is not served."""

    status: int
    reason: str
    """For the log of the server's owner and the client: without anything of the request or the run."""
    headers: Mapping[str, str] = {}


def allowed_hosts(names: Sequence[str], port: int) -> frozenset[str]:
    """Return the values of ``Host`` for these host names: with the port, without it where it is the scheme's own."""
    found = set()
    for name in names:
        shown = f"[{name}]" if ":" in name else name.lower()
        found.add(f"{shown}:{port}")
        if port in (80, 443):
            found.add(shown)
    return frozenset(found)


def digest(token: str) -> bytes:
    """Return what is kept of a token, and compared."""
    return hashlib.sha256(token.encode(errors="backslashreplace")).digest()


def judge(request: RequestFacts, policy: Policy, mounted: Collection[str] = ()) -> Route | Refusal:
    """Return what a request is for, or why it is refused.

    `mounted`: further paths, for GET, such as ``/metrics``.
    """
    if len(request.hosts) != 1 or request.hosts[0].lower() not in policy.hosts:
        return Refusal(421, "this host name is not served here; --host NAME allows it")
    if len(request.target) > TARGET_CHARS_MAX:
        return Refusal(414, "the address is too long")
    path, asked, _ = request.target.partition("?")
    route, method = _ROUTES.get(path) or (Route.MOUNTED if path in mounted else None, "GET")
    if route is None or (asked and route not in _WITH_QUERY):
        return Refusal(404, "no such page")
    if request.method != method:
        return Refusal(405, "this method is not allowed here", {"Allow": method})
    if request.upgrades:
        return Refusal(400, "no other protocol is spoken here")
    if refused := _foreign(request, policy, route):
        return refused
    if route is Route.PAGE or (not policy.token_to_read and route not in (Route.ACTION, Route.UNLOCK)):
        return route
    return _without_token(request, policy) or route


def _foreign(request: RequestFacts, policy: Policy, route: Route) -> Refusal | None:
    own = f"{policy.scheme}://{request.hosts[0].lower()}"
    if len(request.origins) > 1 or any(origin.lower() != own for origin in request.origins):
        return Refusal(403, "requests of other pages are not answered")
    posted = route in (Route.ACTION, Route.UNLOCK)
    if posted and not request.origins:
        return Refusal(403, "a request that acts must name its origin")
    if posted and [each.split(";")[0].strip().lower() for each in request.content_types] != ["application/json"]:
        return Refusal(415, "the body must be application/json")
    # a link elsewhere may lead to the page, but no other page may load anything of it
    if route is not Route.PAGE and any(site not in ("same-origin", "none") for site in request.fetch_sites):
        return Refusal(403, "requests of other pages are not answered")
    return None


def _without_token(request: RequestFacts, policy: Policy) -> Refusal | None:
    if policy.token is None:
        return Refusal(403, "this view is read-only: it was started without --token-file")
    scheme, _, token = request.authorizations[0].partition(" ") if len(request.authorizations) == 1 else ("", "", "")
    is_same = hmac.compare_digest(digest(token[: TOKEN_CHARS_MAX + 1]), policy.token)
    if scheme.lower() != "bearer" or not is_same:
        return Refusal(401, "the token is missing or wrong", {"WWW-Authenticate": 'Bearer realm="foxtrot-supervisor"'})
    return None
