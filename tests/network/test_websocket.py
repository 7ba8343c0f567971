"""The line over real sockets: a small server that does what the frame says.

say a=1 b=2    answers with the frames "a=1" and "b=2"
twice a=1      answers "a=1" two times
hush           answers nothing
bye 1011       closes with that code
huge           answers with more than 1 MiB
garbage        answers with a frame the ear below cannot read
slip           answers with a frame on which the ear has a programming error
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.server import ServerConnection, serve

from bot.clock import SystemClock
from bot.errors import CredentialRefusedError, ProviderError, ReplyError, SilentError, UnreachableError
from bot.loopback.ports import free_port
from bot.loopback.server import running
from bot.network.talk import Settled
from bot.network.websocket import Line


class Other:
    """The other side, and what it saw."""

    def __init__(self) -> None:
        self.opened = 0
        self.open_now = 0
        self.heard: list[str] = []
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()

    async def talk(self, websocket: WebSocket) -> None:
        await self.gate.wait()
        await websocket.accept()
        self.opened += 1
        self.open_now += 1
        try:
            async for text in websocket.iter_text():
                self.heard.append(text)
                await self._answer(websocket, text)
        finally:
            self.open_now -= 1

    async def _answer(self, websocket: WebSocket, text: str) -> None:
        verb, *words = text.split(" ")
        match verb:
            case "say":
                for word in words:
                    await websocket.send_text(word)
            case "twice":
                for _ in range(2):
                    await websocket.send_text(words[0])
            case "bye":
                await websocket.close(int(words[0]))
            case "huge":
                await websocket.send_text("a=" + "x" * (1 << 20))
            case "garbage" | "slip":
                await websocket.send_text(verb)

    async def shut(self, websocket: WebSocket) -> None:
        await websocket.send_denial_response(Response("no", status_code=403))

    async def elsewhere(self, websocket: WebSocket) -> None:
        await websocket.send_denial_response(RedirectResponse(self.url + "/talk"))


@pytest.fixture
async def other() -> AsyncIterator[Other]:
    side = Other()
    app = Starlette(
        routes=[
            WebSocketRoute("/talk", side.talk),
            WebSocketRoute("/shut", side.shut),
            WebSocketRoute("/elsewhere", side.elsewhere),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    side.url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, ws="websockets-sansio", log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    async with running(config, listener):
        yield side


class HandClock:
    """A clock that stands still; a sleep lasts until somebody moves it far enough."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._moved = asyncio.Condition()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        until = self._seconds + seconds
        self.sleeps.append(seconds)
        async with self._moved:
            await self._moved.wait_for(lambda: self._seconds >= until)

    async def move(self, seconds: float) -> None:
        async with self._moved:
            self._seconds += seconds
            self._moved.notify_all()


def ear(frame: str | bytes) -> Iterable[Settled]:
    """`key=value`; `key!CODE` is a refusal."""
    text = frame if isinstance(frame, str) else frame.decode()
    if text == "garbage":
        raise ReplyError("test", "not readable")
    if text == "slip":
        raise KeyError("a slip of the adapter")
    if "!" in text:
        key, _, code = text.partition("!")
        return [Settled(key, error=CredentialRefusedError("test", code))]
    key, _, value = text.partition("=")
    return [Settled(key, value)]


async def no_greeting(_: Line) -> None:
    return None


@asynccontextmanager
async def line_to(
    other: Other, path: str = "/talk", greet: Callable[[Line], Awaitable[None]] = no_greeting, **options: Any
) -> AsyncIterator[Line]:
    options.setdefault("clock", SystemClock())
    line = Line("test", other.url + path, hear=ear, greet=greet, **options)
    try:
        yield line
    finally:
        await line.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # what is waited for happens in several places
            await asyncio.sleep(0.005)


async def test_questions_asked_side_by_side_get_their_own_answers(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        answers = await asyncio.gather(*(line.ask(f"say k{number}=v{number}", [f"k{number}"]) for number in range(20)))
    assert answers == [[f"v{number}"] for number in range(20)]
    assert other.opened == 1


async def test_one_question_may_expect_several_answers_and_gets_them_in_its_own_order(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        assert await line.ask("say b=2 a=1", ["a", "b"]) == ["1", "2"]


async def test_a_question_before_the_line_is_open_is_not_sent(other: Other) -> None:
    async with line_to(other) as line:
        with pytest.raises(UnreachableError):
            await line.ask("say a=1", ["a"])
    assert other.heard == []


async def test_a_refusal_is_raised_for_its_question_and_the_line_lives_on(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        with pytest.raises(CredentialRefusedError) as caught:
            await line.ask("say a!InvalidToken", ["a"])
        assert caught.value.code == "InvalidToken"
        assert await line.ask("say a=1", ["a"]) == ["1"]
    assert other.opened == 1


async def test_answers_nobody_waits_for_and_answers_that_come_twice_disturb_nothing(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        assert await line.ask("say stale=0 a=1", ["a"]) == ["1"]
        assert await line.ask("twice b=2", ["b"]) == ["2"]
        assert await line.ask("say c=3", ["c"]) == ["3"]


async def test_no_answer_in_time_is_silence_and_the_late_answer_settles_nothing_else(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        with pytest.raises(SilentError):
            await line.ask("hush", ["a"], timeout_seconds=0.05)
        assert await line.ask("say b=2", ["b"]) == ["2"]


async def test_another_side_that_reads_nothing_is_given_up_on(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.network.connection.ROOM_WITHIN_SECONDS", 0.1)
    over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await over.wait()

    async with serve(deaf, "127.0.0.1", 0, close_timeout=0.1) as server:  # it does not hear goodbye either
        other.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with line_to(other) as line:
            await line.open()
            with pytest.raises(SilentError):
                await line.ask("x" * (32 << 20), ["a"], timeout_seconds=0.1)  # more than the system holds
            with pytest.raises(SilentError):
                await line.ask("say b=2", ["b"])
            await until(lambda: not line.connected)
        over.set()


async def test_what_is_asked_in_one_turn_arrives_whole_and_in_its_order(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        keys = [f"k{number}" for number in range(200)]
        answers = await asyncio.gather(*(line.ask(f"say {key}={key}", [key]) for key in keys))
        assert [answer for (answer,) in answers] == keys
        assert other.heard == [f"say {key}={key}" for key in keys]


async def test_what_comes_in_pieces_is_heard_before_what_came_whole_after_it(other: Other) -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(["a=in", " two", " pieces"])
        await connection.send("a=whole")
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        other.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with line_to(other) as line:
            await line.open()
            assert await line.ask("both", ["a", "a"]) == ["in two pieces", "whole"]


async def test_text_that_is_not_utf_8_is_a_reply_error(other: Other) -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b"a=\xff", text=True)
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        other.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with line_to(other) as line:
            await line.open()
            with pytest.raises(ReplyError, match="UTF-8"):
                await line.ask("any", ["a"])


async def test_each_question_is_given_up_at_its_own_time(other: Other) -> None:
    async with line_to(other, answer_seconds=60) as line:
        await line.open()
        patient = asyncio.create_task(line.ask("hush", ["a"]))
        await until(lambda: other.heard == ["hush"])
        hasty = [line.ask("hush", ["b"], timeout_seconds=seconds) for seconds in (0.05, 0.01)]
        async with asyncio.timeout(30):
            for given_up in await asyncio.gather(*hasty, return_exceptions=True):
                assert isinstance(given_up, SilentError)
        assert await line.ask("say a=1 c=3", ["c"]) == ["3"]
        assert await patient == ["1"]


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_when_the_other_side_hangs_up_everybody_waiting_hears_silence_and_the_next_open_reconnects(
    other: Other, code: int
) -> None:
    async with line_to(other) as line:
        await line.open()
        waiting = asyncio.create_task(line.ask("hush", ["never"]))
        await until(lambda: "hush" in other.heard)
        with pytest.raises(SilentError):
            await line.ask(f"bye {code}", ["a"])
        with pytest.raises(SilentError):
            await waiting
        await line.open()
        assert await line.ask("say a=1", ["a"]) == ["1"]
    assert other.opened == 2


@pytest.mark.parametrize("bad", ["garbage", "slip", "huge"])
async def test_an_unreadable_frame_is_a_reply_error_and_the_next_open_reconnects(other: Other, bad: str) -> None:
    async with line_to(other) as line:
        await line.open()
        with pytest.raises(ReplyError):
            await line.ask(bad, ["a"])
        await until(lambda: not line.connected)
        await line.open()
        assert await line.ask("say a=1", ["a"]) == ["1"]
    assert other.opened == 2


async def test_nobody_listens(other: Other) -> None:
    other.url = f"ws://127.0.0.1:{free_port()}"
    async with line_to(other) as line:
        with pytest.raises(UnreachableError, match="no connection"):
            await line.open()


async def test_a_listener_that_never_shakes_hands_is_given_up_on(other: Other) -> None:
    other.gate.clear()
    async with line_to(other, connect_seconds=0.1) as line:
        with pytest.raises(UnreachableError):
            await line.open()
    other.gate.set()


async def test_an_http_status_instead_of_a_socket_is_named_without_the_address(other: Other) -> None:
    async with line_to(other, "/shut?app_id=77") as line:
        with pytest.raises(UnreachableError) as caught:
            await line.open()
    assert str(caught.value) == "test: handshake answered 403"


async def test_the_adapter_may_say_what_a_status_means(other: Other) -> None:
    def turned_away(status: int) -> ProviderError | None:
        return CredentialRefusedError("test", f"HTTP{status}") if status == 403 else None

    async with line_to(other, "/shut", turned_away=turned_away) as line:
        with pytest.raises(CredentialRefusedError) as caught:
            await line.open()
    assert caught.value.code == "HTTP403"


async def test_a_redirect_is_not_followed(other: Other) -> None:
    async with line_to(other, "/elsewhere") as line:
        with pytest.raises(UnreachableError, match="307"):
            await line.open()
    assert other.opened == 0


async def test_the_greeting_comes_first_and_once_for_callers_side_by_side(other: Other) -> None:
    async def greet(line: Line) -> None:
        assert not line.connected
        await line.ask("say hello=1", ["hello"])

    async def one_caller(line: Line, number: int) -> None:
        await line.open()
        await line.ask(f"say k{number}=1", [f"k{number}"])

    async with line_to(other, greet=greet) as line:
        await asyncio.gather(*(one_caller(line, number) for number in range(5)))
    assert other.opened == 1
    assert other.heard[0] == "say hello=1"
    assert other.heard.count("say hello=1") == 1


async def test_a_refused_greeting_is_shared_by_all_who_waited_and_leaves_no_connection(other: Other) -> None:
    async def greet(line: Line) -> None:
        await line.ask("say hello!InvalidToken", ["hello"])

    async with line_to(other, greet=greet) as line:
        results = await asyncio.gather(*(line.open() for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [CredentialRefusedError] * 5
        assert other.opened == 1  # five callers, one failed login
        assert not line.connected
        await until(lambda: other.open_now == 0)
        with pytest.raises(CredentialRefusedError):
            await line.open()
        assert other.opened == 2  # the next caller tries again


async def test_a_caller_who_gives_up_does_not_end_the_attempt_for_the_others(other: Other) -> None:
    other.gate.clear()
    async with line_to(other) as line:
        impatient = asyncio.create_task(line.open())
        patient = asyncio.create_task(line.open())
        await asyncio.sleep(0)
        impatient.cancel()
        other.gate.set()
        await patient
        assert impatient.cancelled()
        assert line.connected
    assert other.opened == 1


async def test_closing_while_connecting_tells_those_who_wait_and_leaves_nothing_open(other: Other) -> None:
    async def greet(line: Line) -> None:
        await line.ask("hush", ["never"])

    async with line_to(other, greet=greet) as line:
        waiting = asyncio.create_task(line.open())
        await until(lambda: other.heard == ["hush"])
        await line.close()
        with pytest.raises(UnreachableError, match="closed"):
            await waiting
        assert not line.connected
        await until(lambda: other.open_now == 0)


async def test_a_closed_line_stays_closed_and_closing_twice_is_nothing(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        await line.close()
        await line.close()
        with pytest.raises(UnreachableError):
            await line.open()
        with pytest.raises(UnreachableError):
            await line.ask("say a=1", ["a"])
    await until(lambda: other.open_now == 0)


async def test_hanging_up_fails_those_who_wait_there_and_not_those_on_the_next_connection(other: Other) -> None:
    async with line_to(other) as line:
        await line.open()
        old = asyncio.create_task(line.ask("hush", ["same key"]))
        await until(lambda: "hush" in other.heard)
        leaving = asyncio.create_task(line.hang_up())
        await asyncio.sleep(0)
        await line.open()  # while the old connection still says goodbye
        answer = await line.ask("say same", ["same"])
        await leaving
        with pytest.raises(SilentError):
            await old
        assert answer == [""]
    assert other.opened == 2


async def test_the_keep_alive_is_asked_again_and_again_on_the_injected_clock(other: Other) -> None:
    async def ping(line: Line) -> None:
        await line.ask("say pong=1", ["pong"])

    clock = HandClock()
    async with line_to(other, clock=clock, keep_alive=ping, keep_alive_seconds=30.0) as line:
        await line.open()
        for round_ in (1, 2):
            await until(lambda expected=round_: len(clock.sleeps) == expected)  # type: ignore[misc]
            await clock.move(29.0)
            assert other.heard.count("say pong=1") == round_ - 1
            await clock.move(1.0)
            await until(lambda expected=round_: other.heard.count("say pong=1") == expected)  # type: ignore[misc]
        assert clock.sleeps[0] == 30.0


async def test_a_keep_alive_without_answer_ends_the_connection(other: Other) -> None:
    async def ping(line: Line) -> None:
        await line.ask("hush", ["pong"], timeout_seconds=0.05)

    clock = HandClock()
    async with line_to(other, clock=clock, keep_alive=ping) as line:
        await line.open()
        await until(lambda: len(clock.sleeps) == 1)
        await clock.move(30.0)
        await until(lambda: not line.connected and other.open_now == 0)
        await line.open()
        assert await line.ask("say a=1", ["a"]) == ["1"]
    assert other.opened == 2


async def test_a_broken_connection_takes_its_keep_alive_with_it(other: Other) -> None:
    async def ping(line: Line) -> None:
        await line.ask("say pong=1", ["pong"])

    clock = HandClock()
    async with line_to(other, clock=clock, keep_alive=ping) as line:
        for _ in range(3):
            await line.open()
            with pytest.raises(SilentError):
                await line.ask("bye 1011", ["a"])
        await until(lambda: not any("_keeping" in repr(task.get_coro()) for task in asyncio.all_tasks()))


async def test_attempts_to_connect_keep_their_distance(other: Other) -> None:
    clock = HandClock()
    async with line_to(other, "/shut", clock=clock, rest_seconds=1.0) as line:
        with pytest.raises(UnreachableError):
            await line.open()
        assert clock.sleeps == []  # the first one waits for nothing
        await clock.move(0.25)
        second = asyncio.create_task(line.open())
        await until(lambda: clock.sleeps == [0.75])
        await clock.move(0.75)
        with pytest.raises(UnreachableError):
            await second
        await clock.move(1.0)
        with pytest.raises(UnreachableError):
            await line.open()
        assert clock.sleeps == [0.75]
