"""Instrument lists over HTTP: several paths, pages, refusals, answers that are no list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.instruments import Instrument, Listing
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.listing import pages
from foxtrot_workers.listing.pages import fetch_list


class Paged(Binance):
    """A list with two paths, the first of which has pages."""

    def list_paths(self) -> list[str]:
        return ["/spot?page=1", "/swap"]

    def listed(self, body: bytes) -> list[Instrument]:
        return [Instrument(symbol=name, instrument=name) for name in msgspec.json.decode(body, type=list[str])]

    def next_list_path(self, path: str, body: bytes) -> str | None:
        return "/spot?page=2" if path == "/spot?page=1" else None


class Endless(Paged):
    def next_list_path(self, path: str, body: bytes) -> str | None:
        return "/swap"


class Without(Binance):
    def list_paths(self) -> list[str]:
        return []


async def fetched(adapter: Any, answers: Mapping[str, tuple[int, bytes]]) -> tuple[Listing, list[str], str]:
    """What `adapter` fetches from a server with these answers; the paths asked for, and the server's address."""
    asked: list[str] = []
    open_ones: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1].decode()
                asked.append(path)
                status, body = answers.get(path, (404, b"no such path"))
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        except (asyncio.IncompleteReadError, OSError):
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        found = await fetch_list(adapter, url, None, None)
        for writer in open_ones:
            writer.close()
        return found, asked, url


async def test_all_paths_and_pages_make_one_list() -> None:
    answers = {"/spot?page=1": (200, b'["B"]'), "/spot?page=2": (200, b'["A", "B"]'), "/swap": (200, b'["C"]')}
    found, asked, _ = await fetched(Paged(), answers)
    assert [each.symbol for each in found.instruments] == ["A", "B", "C"]
    assert asked == ["/spot?page=1", "/spot?page=2", "/swap"]
    assert found.error == ""


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"/spot?page=1": (429, b"slow down")}, "/spot?page=1: HTTP 429: slow down"),
        ({"/spot?page=1": (200, b"<html>")}, "/spot?page=1: the answer cannot be read: JSON is malformed"),
    ],
)
async def test_a_list_that_is_refused_or_no_list_says_why(answers: Any, error: str) -> None:
    found, _, url = await fetched(Paged(), answers)
    assert found.error.startswith(url + error)
    assert found.instruments == []


async def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGES_MAX", 5)
    found, asked, _ = await fetched(Endless(), {"/spot?page=1": (200, b"[]"), "/swap": (200, b"[]")})
    assert found.error == "the list has more than 5 pages"
    assert len(asked) == 5


async def test_an_exchange_without_a_list_and_addresses_of_nobody() -> None:
    without = await fetch_list(Without(), "http://127.0.0.1:1", None, None)
    assert without.error == "binance offers no list of instruments"
    assert "refused" in (await fetch_list(Paged(), "http://127.0.0.1:1", None, None)).error.lower()
    assert "is not an http or https address" in (await fetch_list(Paged(), "ftp://x", None, None)).error


async def test_each_request_waits_for_its_turn() -> None:
    async def refuse() -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        await fetch_list(Paged(), "http://127.0.0.1:1", None, None, refuse)
