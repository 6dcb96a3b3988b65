"""What operators are answered, over records that change as they would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from foxtrot_protocol.commands import Done, FetchList, Subscribe, ToChild, Unsubscribe
from foxtrot_protocol.control import (
    IncidentsRequest,
    LogsRequest,
    ReloadRequest,
    Reply,
    Request,
    RestartAllRequest,
    RestartRequest,
    SplitRequest,
    StatusRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.splits import SplitPlan
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord, Death
from foxtrot_supervisor.core.reload import Changes, Reload
from foxtrot_supervisor.report.incidents import IncidentPage, Incidents, Occurrence
from foxtrot_supervisor.runtime import operator_requests
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.operator_requests import PENDING_MAX, SYMBOLS_MAX, OperatorRequests
from foxtrot_supervisor.runtime.splitting import Split
from tests.support.waiting import wait_until_async


class Run:
    """A supervisor's outside, played."""

    def __init__(self) -> None:
        self.records = {name: self._running(name) for name in ("engine", "one.a", "one.b", "two.a")}
        self.sent: list[tuple[str, int, ToChild]] = []
        self.reachable = True
        self.stops: list[str] = []
        self.restarts: list[str] = []
        self.stopped: list[str] = []
        self.refusal = ""
        self.stopping = False
        self.reload: Reload | str = ""
        self.reloads = 0
        self.ended: dict[str, Any] | None = None
        self.changes: list[tuple[str, list[str], bool]] = []
        self.limit_s = 5.0
        self.lines: list[str] = []
        self.memory = Incidents()
        self.split = Split(SplitPlan("all", "all-1", "all-2", ["A", "B"], FoxtrotConfig()), "done")

    @staticmethod
    def _running(name: str) -> ChildRecord:
        return ChildRecord(plan=ChildPlan(name=name, tier=1), state=State.RUNNING, incarnation=1, pid=10)

    async def status_line(self, *, fresh: bool) -> bytes:
        return b"fresh" if fresh else b"shared"

    def incidents(self, after: int, limit: int) -> IncidentPage:
        return self.memory.after(after, limit)

    def logs(self, request: LogsRequest) -> dict[str, Any] | None:
        answer = {"lines": self.lines[request.after :], "next": len(self.lines), "missed": 0}
        return answer if request.worker in ("", *self.records) else None

    def record(self, name: str) -> ChildRecord | None:
        return self.records.get(name)

    def workers_named(self, name: str) -> list[str]:
        return [worker for worker in self.records if "." in worker and name in (worker, worker.split(".")[0])]

    def connections(self) -> list[list[str]]:
        return [["one.a", "one.b"], ["two.a"]]

    def is_stopping(self) -> bool:
        return self.stopping

    def changes_for(self, name: str, symbols: list[str], *, added: bool) -> dict[str, list[str]]:
        if "FULL" in symbols:
            raise ValueError("no worker has room")
        return dict.fromkeys(self.workers_named(name), symbols)

    def send(self, name: str, incarnation: int, command: ToChild) -> bool:
        self.sent.append((name, incarnation, command))
        return self.reachable

    def ask_stop(self, reason: str) -> None:
        self.stops.append(reason)

    def ask_restart(self, name: str) -> str:
        self.restarts.append(name)
        return self.refusal

    def ask_stop_of(self, names: Sequence[str]) -> str:
        self.stopped += names
        for name in names:
            self.records[name].stopped_by_operator = True
        return self.refusal

    def reload_must_wait(self) -> bool:
        return self.split.state in ("starting", "changing")

    def ask_split(self, name: str) -> Split | str:
        return self.refusal or self.split

    def ask_reload(self) -> Reload | str:
        self.reloads += 1
        return self.reload

    def preview_reload(self) -> dict[str, Any] | str:
        return {"added": ["x"]} if not self.refusal else self.refusal

    def outcome(self) -> dict[str, Any] | None:
        return self.ended

    def symbols_changed(self, name: str, symbols: list[str], *, added: bool) -> None:
        self.changes.append((name, symbols, added))

    def restart_limit_s(self) -> float:
        return self.limit_s


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def requests(run: Run) -> OperatorRequests:
    return OperatorRequests(run, Logs("info", "json").log)


Ask = Callable[[Request], "asyncio.Task[Reply]"]


@pytest.fixture
async def ask(requests: OperatorRequests) -> Ask:
    return lambda request: asyncio.create_task(requests.answer(request))


async def soon(reply: Awaitable[Reply | bytes]) -> Any:
    return await asyncio.wait_for(reply, 5)


async def test_a_dry_reload_is_answered_at_once_and_begins_nothing(run: Run, ask: Ask) -> None:
    assert (await soon(ask(ReloadRequest(dry_run=True)))).data == {"added": ["x"]}
    run.refusal = "line 3: unknown key"
    assert (await soon(ask(ReloadRequest(dry_run=True)))).error == "line 3: unknown key"
    assert run.reloads == 0


async def test_logs_are_answered_at_once(ask: Ask) -> None:
    assert (await soon(ask(LogsRequest()))).data == {"lines": [], "next": 0, "missed": 0}
    assert "no worker or connection called 'nobody'" in (await soon(ask(LogsRequest(worker="nobody")))).error


async def test_a_reader_may_wait_for_a_line(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    requests.logged()
    waiting = [ask(LogsRequest(wait_s=30.0)) for _ in range(3)]
    await asyncio.sleep(0)
    run.lines.append("one")
    requests.logged()
    run.lines.append("two")
    requests.logged()
    assert [(await soon(each)).data["lines"] for each in waiting] == [["one", "two"]] * 3


async def test_a_wait_for_lines_ends_with_its_time_and_with_the_run(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    assert (await soon(ask(LogsRequest(wait_s=0.01)))).data["lines"] == []
    waiting = ask(LogsRequest(wait_s=30.0))
    await asyncio.sleep(0)
    requests.look()
    await asyncio.sleep(0)
    assert not waiting.done()
    run.ended = {"exit_code": 0}
    requests.look()
    assert (await soon(waiting)).data["lines"] == []


async def test_status(ask: Ask) -> None:
    assert await soon(ask(StatusRequest())) == b"shared"
    assert await soon(ask(StatusRequest(fresh=True))) == b"fresh"


async def test_incidents(run: Run, ask: Ask) -> None:
    for worker in ("one.a", "two.a"):
        run.memory.note(Occurrence("gap", worker), at_ns=1, now=1.0)
    reply = await soon(ask(IncidentsRequest(after=1)))
    assert [incident["worker"] for incident in reply.data["incidents"]] == ["two.a"]
    assert (reply.data["first_seq"], reply.data["last_seq"], reply.data["more"]) == (1, 2, False)


async def test_a_worker_fetches_a_list_and_ends_delisted_symbols(run: Run, requests: OperatorRequests) -> None:
    fetching = asyncio.create_task(requests.fetch_list("one.a", "/f", 5.0))
    ending = asyncio.create_task(requests.change("one.a", ["A"], added=False, delisted=True))
    await wait_until_async(lambda: len(run.sent) == 2, what="both commands")
    commands = [command for _, _, command in run.sent]
    assert commands == [FetchList(1, "/f"), Unsubscribe(2, ["A"], True)]
    requests.done("one.a", Done("one.a", 1, 1, "no list"))
    requests.done("one.a", Done("one.a", 1, 2, ""))
    assert (await fetching, await ending) == ("no list", ["A"])
    assert run.changes == [("one.a", ["A"], False)]
    assert await requests.fetch_list("one.a", "/f", 0.01) == "no answer within 0.01 s"


async def test_stop_is_answered_when_all_has_ended(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    first, second = ask(StopRequest()), ask(StopRequest())
    await wait_until_async(lambda: len(run.stops) == 2, what="both requests")
    requests.look()  # something has changed, but not the outcome
    await asyncio.sleep(0)
    assert not first.done()
    run.ended = {"exit_code": 0}
    requests.look()
    assert await soon(first) == await soon(second) == Reply(data={"exit_code": 0})


async def test_a_stop_of_workers_is_answered_when_they_have_ended(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    run.records["two.a"].state = State.FATAL
    reply = ask(StopWorkersRequest(["one", "one.a", "two"]))
    await wait_until_async(lambda: run.stopped == ["one.a", "one.b", "two.a"], what="the request")
    run.records["one.a"].state = State.STOPPED
    requests.look()
    await asyncio.sleep(0.01)
    assert not reply.done()
    run.records["one.b"].state, run.records["one.b"].rung = State.STOPPED, "term"
    requests.look()
    answer = await soon(reply)
    assert answer.error == ""
    assert [(each["worker"], each["state"], each["rung"]) for each in answer.data["workers"]] == [
        ("one.a", "STOPPED", None),
        ("one.b", "STOPPED", "term"),
        ("two.a", "FATAL", None),
    ]


@pytest.mark.parametrize("state", [State.LOST, State.STARTING])
async def test_a_stop_of_a_worker_that_still_lives_is_an_error(run: Run, ask: Ask, state: State) -> None:
    run.records["one.b"].state = State.STOPPED
    reply = ask(StopWorkersRequest(["one"]))
    await wait_until_async(lambda: bool(run.stopped), what="the request")
    record = run.records["one.a"]
    record.state, record.cause = state, "so it is"
    record.stopped_by_operator = state is State.LOST  # else it was restarted meanwhile
    run.records["two.a"].state = State.STOPPED
    answer = await soon(ask(StopWorkersRequest(["two.a"])))
    assert answer.error == ""
    reply.cancel()
    assert operator_requests._ended([record], set()) is not None
    assert f"one.a is {state.value}: so it is" in str(operator_requests._ended([record], set()))


async def test_a_stop_of_workers_is_refused_as_a_whole(run: Run, ask: Ask) -> None:
    answer = await soon(ask(StopWorkersRequest(["one.a", "nobody", "none"])))
    assert ("'nobody'" in answer.error, "'none'" in answer.error, run.stopped) == (True, True, [])
    assert (await soon(ask(StopWorkersRequest([])))).error == "no worker is named"
    run.refusal = "engine is no worker"
    assert (await soon(ask(StopWorkersRequest(["engine"])))).error == "engine is no worker"


async def test_a_restart_of_all_leaves_stopped_workers_as_they_are(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    for record in run.records.values():
        record.state, record.stopped_by_operator = State.STOPPED, True
    assert (await soon(ask(RestartAllRequest()))).error == ""
    assert run.restarts == []


async def test_restart_is_answered_when_it_serves_again(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    reply = ask(RestartRequest("one.a"))
    await wait_until_async(lambda: run.restarts == ["one.a"], what="the request")
    record = run.records["one.a"]
    record.state = State.STOPPING
    requests.look()
    record.deaths.append(Death(1, 0, None, "term", "", 1.0))
    record.state = State.BACKOFF  # of the incarnation that was to go: it is on its way back
    requests.look()
    record.incarnation, record.state, record.pid = 2, State.STARTING, 11
    requests.look()
    await asyncio.sleep(0.01)
    assert not reply.done()
    record.state = State.RUNNING
    requests.look()
    assert await soon(reply) == Reply(data={"worker": "one.a", "incarnation": 2, "pid": 11, "rung": "term"})


@pytest.mark.parametrize("state", [State.FATAL, State.EXITED, State.STOPPED, State.LOST, State.BACKOFF])
async def test_restart_that_failed(run: Run, requests: OperatorRequests, ask: Ask, state: State) -> None:
    reply = ask(RestartRequest("two"))  # a connection with one worker
    await wait_until_async(lambda: run.restarts == ["two.a"], what="the request")
    record = run.records["two.a"]
    record.incarnation, record.state, record.cause = 2, state, "it broke"
    requests.look()
    answer = await soon(reply)
    assert "it broke" in answer.error
    assert "two.a" in answer.error


async def test_restart_that_takes_too_long(run: Run, ask: Ask) -> None:
    run.limit_s = 0.05
    run.records["one.a"].state = State.STOPPING
    assert (await soon(ask(RestartRequest("one.a")))).error == "not done within 0.05 s"


async def test_restart_refused(run: Run, ask: Ask) -> None:
    run.refusal = "everything is being stopped"
    assert (await soon(ask(RestartRequest("engine")))).error == "everything is being stopped"
    assert (await soon(ask(RestartRequest("one")))).error == "everything is being stopped"
    assert run.restarts == ["engine", "one.a"], "one that cannot be restarted is the last that is tried"
    assert "no worker or connection" in (await soon(ask(RestartRequest("nobody")))).error


async def test_the_workers_of_a_connection_are_restarted_one_after_the_other(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    reply = ask(RestartRequest("one"))
    await wait_until_async(lambda: run.restarts == ["one.a"], what="the first")
    run.refusal = "one.a does not yet have all its data"
    run.records["one.a"].incarnation = 2
    requests.look()
    await wait_until_async(lambda: "one.b" in run.restarts, what="the second, which is refused as yet")
    assert not reply.done()
    run.refusal = ""
    requests.look()
    await asyncio.sleep(0.01)
    run.records["one.b"].incarnation = 2
    requests.look()
    answer = await soon(reply)
    assert answer.error == ""
    assert [worker["worker"] for worker in answer.data["workers"]] == ["one.a", "one.b"]


async def test_the_second_is_not_waited_for_without_end(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    run.limit_s = 0.1
    reply = ask(RestartRequest("one"))
    await wait_until_async(lambda: run.restarts == ["one.a"], what="the first")
    run.refusal = "one.a does not yet have all its data"
    run.records["one.a"].incarnation = 2
    requests.look()
    assert (await soon(reply)).error == "one.a does not yet have all its data"


async def test_a_restart_of_all_waits_for_twins_and_retries(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    reply = ask(RestartAllRequest())
    await wait_until_async(
        lambda: {"one.a", "two.a", "one.b"} <= set(run.restarts), what="all that may be down together"
    )
    for state in (State.STOPPING, State.BACKOFF):
        for record in run.records.values():
            record.state, record.incarnation = state, 2
        requests.look()
        await asyncio.sleep(0.01)
        assert not reply.done(), "a worker that has to wait for the exchange's limit is waited for"
    run.records.pop("two.a").state = State.RUNNING
    for record in run.records.values():
        record.state = State.RUNNING
    requests.look()
    answer = await soon(reply)
    assert (answer.error, answer.data["restarted"]) == ("", 3)


async def test_a_restart_of_all_ends_with_the_run(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    run.refusal = "one.a does not yet have all its data"
    reply = ask(RestartAllRequest())
    await wait_until_async(lambda: bool(run.restarts), what="the first")
    assert not reply.done()
    run.refusal, run.stopping = "everything is being stopped", True
    requests.look()
    assert "everything is being stopped" in (await soon(reply)).error


async def test_a_restart_of_all_ends_at_a_worker_that_fails(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    run.records.pop("two.a")
    reply = ask(RestartAllRequest())
    await wait_until_async(lambda: set(run.restarts) == {"one.a", "one.b"}, what="all")
    run.records["one.a"].state = State.FATAL
    run.records["one.b"].incarnation = 2
    requests.look()
    assert "one.a is FATAL" in (await soon(reply)).error


@pytest.mark.parametrize("rotation", ["going", "coming"])
async def test_symbols_are_not_changed_while_a_connection_changes_sides(run: Run, ask: Ask, rotation: Any) -> None:
    run.records["two.a"].rotation = rotation
    assert "two.a: being rotated" in (await soon(ask(SubscribeRequest("two", ["X"])))).error
    assert run.sent == []


async def test_reload_is_answered_when_it_is_done(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    reload = Reload(Changes(["two.a"], [], [], ["engine"]), {}, {}, 0.0, 60.0)
    run.reload = reload
    reply = ask(ReloadRequest())
    await wait_until_async(lambda: run.reloads == 1, what="the request")
    requests.look()
    await asyncio.sleep(0.01)
    assert not reply.done()
    assert reload.look(run.records, 1.0, stopping=False)
    requests.look()
    assert await soon(reply) == Reply(data=reload.outcome or {})


async def test_reload_that_failed_in_part(run: Run, ask: Ask) -> None:
    run.reload = Reload(Changes(["two.a"], [], [], []), {}, {}, 0.0, 60.0)
    run.records["two.a"].state, run.records["two.a"].cause = State.FATAL, "no such symbol"
    run.reload.look(run.records, 1.0, stopping=False)
    answer = await soon(ask(ReloadRequest()))
    assert answer.error == "the new configuration is in force, but two.a: FATAL: no such symbol"
    assert answer.data["added"] == ["two.a"]


async def test_reload_refused(run: Run, ask: Ask) -> None:
    run.reload = "foxtrot.toml: zzz: is not a known key"
    assert await soon(ask(ReloadRequest())) == Reply(error="foxtrot.toml: zzz: is not a known key")


async def test_subscribe_waits_for_every_worker_of_the_connection(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    reply = ask(SubscribeRequest("one", ["X", "Y", "X"]))
    await wait_until_async(lambda: len(run.sent) == 2, what="both commands")
    assert run.sent == [("one.a", 1, Subscribe(1, ["X", "Y"])), ("one.b", 1, Subscribe(2, ["X", "Y"]))]
    requests.done("one.b", Done("one.b", 1, 1, "not mine to answer"))
    requests.done("one.a", Done("one.a", 1, 99, "never asked"))
    requests.done("one.a", Done("one.a", 1, 1, ""))
    requests.done("one.a", Done("one.a", 1, 1, "again"))
    requests.done("one.b", Done("one.b", 1, 2, "too many symbols"))
    answer = await soon(reply)
    assert answer.error == "one.b: too many symbols"
    assert answer.data["workers"] == ["one.a", "one.b"]
    assert run.changes == [("one.a", ["X", "Y"], True)]


async def test_unsubscribe(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    reply = ask(UnsubscribeRequest("two.a", ["X"]))
    await wait_until_async(lambda: run.sent, what="the command")
    assert run.sent == [("two.a", 1, Unsubscribe(1, ["X"]))]
    requests.done("two.a", Done("two.a", 1, 1, ""))
    assert (await soon(reply)).error == ""
    assert run.changes == [("two.a", ["X"], False)]


async def test_worker_that_dies_instead_of_answering(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    reply = ask(SubscribeRequest("two.a", ["X"]))
    await wait_until_async(lambda: run.sent, what="the command")
    requests.ended("one.a", 1)
    requests.ended("two.a", 1)
    assert (await soon(reply)).error == "two.a: two.a ended before it answered"
    assert run.changes == []


async def test_worker_that_never_answers(run: Run, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_requests, "REQUEST_S", 0.05)
    assert "no answer within 0.05 s" in (await soon(ask(SubscribeRequest("two.a", ["X"])))).error


async def test_subscriptions_that_cannot_be(run: Run, ask: Ask) -> None:
    assert "no worker or connection" in (await soon(ask(SubscribeRequest("nobody", ["X"])))).error
    for symbols in ([], [""], [str(number) for number in range(SYMBOLS_MAX + 1)]):
        assert "symbols are expected" in (await soon(ask(SubscribeRequest("one.a", symbols)))).error
    run.records["one.a"].state = State.BACKOFF
    assert "it is BACKOFF" in (await soon(ask(SubscribeRequest("one.a", ["X"])))).error
    run.reachable = False
    assert "cannot be reached" in (await soon(ask(SubscribeRequest("two.a", ["X"])))).error


async def test_waiting_requests_are_bounded(run: Run, requests: OperatorRequests, ask: Ask) -> None:
    waiting = [ask(SubscribeRequest("two.a", ["X"])) for _ in range(PENDING_MAX)]
    await wait_until_async(lambda: len(run.sent) == PENDING_MAX, what="all commands")
    assert "are waiting already" in (await soon(ask(SubscribeRequest("two.a", ["X"])))).error
    requests.ended("two.a", 1)
    await soon(asyncio.gather(*waiting))  # type: ignore[arg-type] - only waited for
    assert (await soon(_answered(requests, run, ask))).error == ""


async def _answered(requests: OperatorRequests, run: Run, ask: Ask) -> Reply:
    count = len(run.sent)
    reply = ask(SubscribeRequest("two.a", ["X"]))
    await wait_until_async(lambda: len(run.sent) > count, what="the command")
    requests.done("two.a", Done("two.a", 1, count + 1, ""))
    return await reply


async def test_a_split_is_answered_at_its_end_and_a_reload_waits_for_it(
    run: Run, requests: OperatorRequests, ask: Ask
) -> None:
    run.split.state = "starting"
    split, reload = ask(SplitRequest("all-1")), ask(ReloadRequest())
    await asyncio.sleep(0)
    requests.look()
    await asyncio.sleep(0)
    assert (split.done(), run.reloads) == (False, 0)
    run.split.state, run.reload = "done", "no file"
    requests.look()
    assert (await soon(split)).data["into"] == "all-2"
    assert (await soon(reload)).error == "no file"
    run.split.state, run.split.reason = "failed", "all-2.a is FATAL"
    assert (await soon(ask(SplitRequest("all-1")))).error == "all-2.a is FATAL"
    run.refusal = "all-1 does not run"
    assert (await soon(ask(SplitRequest("all-1")))).error == "all-1 does not run"
