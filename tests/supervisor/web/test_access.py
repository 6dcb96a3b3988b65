"""Which requests the web view serves: everything that is not listed is refused, whatever else is right."""

from __future__ import annotations

import random

import pytest
from msgspec import structs

from foxtrot_supervisor.web.access import (
    ASSETS,
    TARGET_CHARS_MAX,
    TOKEN_CHARS_MAX,
    Policy,
    Refusal,
    RequestFacts,
    Route,
    allowed_hosts,
    digest,
    judge,
)

TOKEN = "0123456789abcdef0123456789abcdef"
HOST = "127.0.0.1:8737"
ORIGIN = f"http://{HOST}"
POLICY = Policy(
    hosts=allowed_hosts(["127.0.0.1", "localhost"], 8737), scheme="http", token=digest(TOKEN), token_to_read=False
)
READ_ONLY = structs.replace(POLICY, token=None)
CLOSED = structs.replace(POLICY, token_to_read=True)

PAGE = RequestFacts(method="GET", target="/", hosts=[HOST])
STREAM = RequestFacts(method="GET", target="/api/stream?after=3", hosts=[HOST], fetch_sites=["same-origin"])
ACTION = RequestFacts(
    method="POST",
    target="/api/action",
    hosts=[HOST],
    origins=[ORIGIN],
    fetch_sites=["same-origin"],
    authorizations=[f"Bearer {TOKEN}"],
    content_types=["application/json"],
)


def status(request: RequestFacts, policy: Policy = POLICY) -> int:
    found = judge(request, policy)
    return found.status if isinstance(found, Refusal) else 200


def test_what_is_served() -> None:
    assert judge(PAGE, POLICY) is Route.PAGE
    assert judge(STREAM, POLICY) is Route.STREAM
    assert judge(ACTION, POLICY) is Route.ACTION
    assert judge(structs.replace(ACTION, target="/api/unlock"), POLICY) is Route.UNLOCK
    assert {judge(structs.replace(PAGE, target=path), POLICY) for path in ASSETS} == {Route.PAGE}


def test_mounted_paths_are_read_and_follow_the_same_rules() -> None:
    mounted = ["/metrics"]
    metrics = structs.replace(PAGE, target="/metrics")
    assert judge(metrics, POLICY, mounted) is Route.MOUNTED
    assert status(metrics) == 404
    refused = judge(metrics, CLOSED, mounted)
    assert isinstance(refused, Refusal)
    assert refused.status == 401


@pytest.mark.parametrize(
    "hosts", [[], ["evil.example"], ["127.0.0.1"], ["127.0.0.1:80"], [HOST, HOST], [f"{HOST}.evil"], [""]]
)
@pytest.mark.parametrize("request_", [PAGE, STREAM, ACTION])
def test_another_host_is_refused(request_: RequestFacts, hosts: list[str]) -> None:
    assert status(structs.replace(request_, hosts=hosts)) == 421


def test_host_names_are_compared_without_case_and_ports_of_the_scheme_may_be_left_out() -> None:
    assert status(structs.replace(PAGE, hosts=["LOCALHOST:8737"])) == 200
    assert allowed_hosts(["View.example", "::1"], 443) == {
        "view.example:443",
        "view.example",
        "[::1]:443",
        "[::1]",
    }


@pytest.mark.parametrize(
    "origins", [["http://evil.example"], ["null"], [f"https://{HOST}"], [ORIGIN, ORIGIN], ["http://localhost:8737"]]
)
@pytest.mark.parametrize("request_", [PAGE, STREAM, ACTION])
def test_another_origin_is_refused(request_: RequestFacts, origins: list[str]) -> None:
    assert status(structs.replace(request_, origins=origins)) == 403


def test_an_action_must_name_its_origin_and_be_json() -> None:
    assert status(structs.replace(ACTION, origins=[])) == 403
    for types in ([], ["text/plain"], ["application/json", "application/json"], ["application/x-www-form-urlencoded"]):
        assert status(structs.replace(ACTION, content_types=types)) == 415
    assert status(structs.replace(ACTION, content_types=["Application/JSON; charset=utf-8"])) == 200


def test_other_sites_may_link_to_the_page_and_load_nothing_else() -> None:
    assert status(structs.replace(PAGE, fetch_sites=["cross-site"])) == 200
    for site in ("cross-site", "same-site"):
        assert status(structs.replace(STREAM, fetch_sites=[site])) == 403
        assert status(structs.replace(ACTION, fetch_sites=[site])) == 403


@pytest.mark.parametrize(
    "authorizations",
    [
        [],
        [TOKEN],
        ["Bearer"],
        ["Bearer "],
        [f"Bearer {TOKEN[:-1]}"],
        [f"Bearer {TOKEN}0"],
        [f"Basic {TOKEN}"],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        [f"Bearer {'x' * TOKEN_CHARS_MAX * 9}"],
        ["Bearer \udcff\u00e9"],
    ],
)
def test_a_missing_or_wrong_token_is_refused(authorizations: list[str]) -> None:
    for target in ("/api/action", "/api/unlock"):
        assert status(structs.replace(ACTION, target=target, authorizations=authorizations)) == 401
    assert status(structs.replace(STREAM, authorizations=authorizations), CLOSED) == 401
    assert status(structs.replace(STREAM, authorizations=authorizations)) == 200


def test_without_a_token_nobody_can_act() -> None:
    assert status(ACTION, READ_ONLY) == 403
    assert status(structs.replace(ACTION, target="/api/unlock"), READ_ONLY) == 403
    assert status(STREAM, READ_ONLY) == 200


def test_the_page_itself_needs_no_token() -> None:
    assert status(PAGE, CLOSED) == 200
    assert status(structs.replace(STREAM, authorizations=[f"Bearer {TOKEN}"]), CLOSED) == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "get", ""])
def test_another_method_is_refused(method: str) -> None:
    found = judge(structs.replace(PAGE, method=method), POLICY)
    assert isinstance(found, Refusal)
    assert (found.status, found.headers) == (405, {"Allow": "GET"})
    assert status(structs.replace(ACTION, method="GET")) == 405


@pytest.mark.parametrize(
    "target",
    [
        "",
        "//",
        "/index.html",
        "/assets/",
        "/assets/../server.py",
        "/assets/%2e%2e/server.py",
        "/api",
        "/api/stream/",
        "/?x",
        "/api/action?x=1",
        "http://127.0.0.1:8737/",
        "*",
        "/\x00",
    ],
)
def test_another_path_is_refused(target: str) -> None:
    assert status(structs.replace(PAGE, target=target)) == 404


def test_a_long_address_and_another_protocol_are_refused() -> None:
    assert status(structs.replace(PAGE, target="/api/stream?" + "x" * TARGET_CHARS_MAX)) == 414
    assert status(structs.replace(STREAM, upgrades=["websocket"])) == 400


def test_one_wrong_part_is_enough() -> None:
    """Requests with random wrong parts: none is served, and a refusal quotes nothing of the request."""
    random_ = random.Random(14)
    wrong = {
        "method": lambda: random_.choice(["GET", "PUT", "DELETE", "HEAD", "post"]),
        "target": lambda: "/" + "".join(random_.choices("abc/.%2e?api", k=random_.randrange(1, 30))),
        "hosts": lambda: [random_.choice(["a.example", "127.0.0.1", "localhost:1", "0.0.0.0:8737"])],
        "origins": lambda: random_.choice([[], ["null"], ["http://a.example"], ["file://"]]),
        "fetch_sites": lambda: [random_.choice(["cross-site", "same-site", "x"])],
        "authorizations": lambda: [random_.choice(["", "Bearer x", "Basic eA==", TOKEN])],
        "content_types": lambda: [random_.choice(["", "text/plain", "multipart/form-data"])],
        "upgrades": lambda: ["h2c"],
    }
    for _ in range(5000):
        chosen = random_.sample(sorted(wrong), random_.randrange(1, len(wrong)))
        request = structs.replace(ACTION, **{part: wrong[part]() for part in chosen})
        found = judge(request, POLICY)
        if request.method == "GET" and "target" in chosen:
            continue  # may be a page by chance
        assert isinstance(found, Refusal), request
        assert TOKEN not in found.reason
