"""The command `incidents`: pages, filters, following, what has fallen out."""

from __future__ import annotations

from typing import Any

from tests.support.called_commands import Run


def incident(seq: int, **more: Any) -> dict[str, Any]:
    return {
        "seq": seq,
        "at_ns": 1_700_000_000_000_000_000 + seq,
        "kind": "death",
        "worker": "one.a",
        "connection": "one",
        "exchange": "sim",
        "incarnation": 2,
        "cause": "killed by SIGKILL",
        "rung": None,
        "suppressed": 0,
        "details": {},
        **more,
    }


def pages(*found: list[dict[str, Any]]) -> Any:
    """Answers with each page in turn, the last one again and again without incidents."""
    left = list(found)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        page = left.pop(0) if left else []
        first = page[0]["seq"] if page else request["after"] + 1
        return {"data": {"incidents": page, "first_seq": first, "last_seq": 99, "more": bool(left)}}

    return answer


def test_all_pages_are_printed(run: Run, supervise: Any) -> None:
    running = supervise(pages([incident(1), incident(2)], [incident(3, kind="gap", worker="", incarnation=None)]))
    assert run("incidents") == 0
    lines = run.out.splitlines()
    assert len(lines) == 3
    assert "death" in lines[0]
    assert "one.a#2" in lines[0]
    assert lines[0].endswith("killed by SIGKILL")
    assert "supervisor " in lines[2]
    assert [request["after"] for request in running.requests] == [0, 2]
    assert run.err == ""


def test_json_and_filters(run: Run, supervise: Any) -> None:
    found = [incident(1), incident(2, kind="gap"), incident(3, worker="two.a", connection="two")]
    supervise(lambda _: {"data": {"incidents": found, "first_seq": 1, "last_seq": 3, "more": False}})
    assert run("incidents", "--json") == 0
    assert run.lines() == found
    assert run("incidents", "--json", "--kind", "gap") == 0
    assert [each["seq"] for each in run.lines()] == [2]
    assert run("incidents", "--json", "--worker", "two", "--worker", "one.a", "--kind", "death") == 0
    assert [each["seq"] for each in run.lines()] == [1, 3]


def test_what_has_fallen_out_is_said(run: Run, supervise: Any) -> None:
    supervise(pages([incident(50, suppressed=7)]))
    assert run("incidents", "--after", "10") == 0
    assert "39 older incidents are not kept any more" in run.err
    assert "(7 more of these before)" in run.out


def test_following_ends_with_the_run(run: Run, supervise: Any) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any] | None:
        after = request["after"]
        if after >= 3:
            return None  # the supervisor ends without an answer
        return {"data": {"incidents": [incident(after + 1)], "first_seq": 1, "last_seq": after + 1, "more": False}}

    supervise(answer)
    assert run("incidents", "--follow", "--json") == 0
    assert [each["seq"] for each in run.lines()] == [1, 2, 3]


def test_a_refusal_is_an_error(run: Run, supervise: Any) -> None:
    supervise({"error": "an old supervisor"})
    assert run("incidents") == 1
    assert "an old supervisor" in run.err
