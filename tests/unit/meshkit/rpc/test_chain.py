"""Middlewares are entered in order and left the other way round; each may put another error in the place of what it saw."""

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc import aio
from meshkit.errors import InvalidArgument, NotFound, Unavailable
from meshkit.rpc.chain import Call, Chain, Scope, current_call
from meshkit.rpc.deadline import Deadlines
from meshkit.telemetry.rpc import ServerTelemetry
from meshkit.testing.capture import captured_logs, captured_spans

METHOD = "/finmesh.x.Y/Z"


class Context:
    """What gRPC gives a handler."""

    def __init__(self, *metadata: tuple[str, str | bytes], remaining_s: float | None = None) -> None:
        self._metadata, self._remaining_s = metadata, remaining_s
        self.ended: tuple[grpc.StatusCode, str] | None = None

    def invocation_metadata(self) -> Any:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._remaining_s

    async def abort(self, code: grpc.StatusCode, message: str, metadata: object) -> None:
        self.ended = (code, message)
        raise aio.AbortError


class Noted:
    """A middleware that notes what it saw, and may answer with an error of its own."""

    def __init__(self, name: str, seen: list[str], instead: Exception | None = None, refuses: Exception | None = None) -> None:
        self._name, self._seen, self._instead, self._refuses = name, seen, instead, refuses

    def __call__(self, call: Call) -> Scope:
        assert current_call() is call
        return self

    def __enter__(self) -> None:
        if self._refuses is not None:
            raise self._refuses
        self._seen.append(f"{self._name} in")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._seen.append(f"{self._name} out {type(error).__name__}")
        if self._instead is not None:
            raise self._instead


async def called(middlewares: list[Any], behavior: Any, context: Context) -> Any:
    """Run a handler inside a chain as gRPC would; returns the response, None when the call was aborted."""
    handler = grpc.unary_unary_rpc_method_handler(behavior)

    async def found(_: object) -> Any:
        return handler

    wrapped = await Chain(middlewares).intercept_service(found, SimpleNamespace(method=METHOD))
    try:
        return await wrapped.unary_unary(b"", context)
    except aio.AbortError:
        return None


async def answer(request: bytes, context: object) -> bytes:
    return b"answer"


async def test_left_the_other_way_round() -> None:
    seen: list[str] = []
    assert await called([Noted("a", seen), Noted("b", seen)], answer, Context()) == b"answer"
    assert seen == ["a in", "b in", "b out NoneType", "a out NoneType"]


async def test_an_error_put_in_another_s_place_is_what_the_outer_ones_and_the_caller_see() -> None:
    seen: list[str] = []
    context = Context()

    async def fails(request: bytes, context: object) -> bytes:
        raise InvalidArgument("inner")

    assert await called([Noted("a", seen), Noted("b", seen, instead=NotFound("other"))], fails, context) is None
    assert seen == ["a in", "b in", "b out InvalidArgument", "a out NotFound"]
    assert context.ended == (grpc.StatusCode.NOT_FOUND, "other")


async def test_one_that_fails_when_all_went_well_still_lets_the_outer_ones_out() -> None:
    seen: list[str] = []
    context = Context()
    assert await called([Noted("a", seen), Noted("b", seen, instead=Unavailable("late"))], answer, context) is None
    assert seen == ["a in", "b in", "b out NoneType", "a out Unavailable"]
    assert context.ended == (grpc.StatusCode.UNAVAILABLE, "late")


async def test_one_that_refuses_is_not_left_and_nothing_behind_it_is_entered() -> None:
    seen: list[str] = []
    context = Context()
    assert await called([Noted("a", seen), Noted("b", seen, refuses=NotFound("no")), Noted("c", seen)], answer, context) is None
    assert seen == ["a in", "a out NotFound"]
    assert context.ended == (grpc.StatusCode.NOT_FOUND, "no")


async def test_who_is_late_is_told_so_and_goes_on_uncancelled() -> None:
    context = Context(remaining_s=0.03)

    async def waits(request: bytes, context: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    with captured_spans() as spans, captured_logs() as logs:
        assert await called([ServerTelemetry(), Deadlines()], waits, context) is None
    assert context.ended == (grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline is over")
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0  # else whatever waits in it next ends at once
    assert (spans[0].attributes or {})["error.type"] == "DEADLINE_EXCEEDED"
    assert logs.lines[-1]["finmesh.error.reason"] == "DEADLINE_EXCEEDED"


async def test_a_caller_who_leaves_is_no_deadline() -> None:
    context = Context(remaining_s=5.0)
    began = asyncio.Event()

    async def waits(request: bytes, context: object) -> bytes:
        began.set()
        await asyncio.Event().wait()
        return b""

    work = asyncio.create_task(called([ServerTelemetry(), Deadlines()], waits, context))
    await began.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert context.ended is None


async def test_a_deadline_ends_with_its_call() -> None:
    with Deadlines()(Call(METHOD, Context(remaining_s=0.02))):
        pass
    await asyncio.sleep(0.03)  # cancels nobody


async def test_what_fails_unexpectedly_is_logged_in_its_trace_and_tells_the_caller_nothing() -> None:
    context = Context()

    async def fails(request: bytes, context: object) -> bytes:
        raise RuntimeError("account 6222021234567890128")

    with captured_spans() as spans, captured_logs() as logs:
        assert await called([ServerTelemetry()], fails, context) is None
    failed = next(line for line in logs.lines if line["message"] == "handler failed")
    span_context = spans[0].get_span_context()
    assert span_context is not None and failed["trace_id"] == f"{span_context.trace_id:032x}" and "RuntimeError" in failed["exception"]
    assert context.ended == (grpc.StatusCode.INTERNAL, "internal error")


def test_headers() -> None:
    call = Call(METHOD, Context(("a", "1"), ("b", b"\xe5\xae\xa1"), ("c", "x"), ("c", "x"), ("d", "")))
    assert (call.header("a"), call.header("b"), call.header("d"), call.header("e")) == ("1", "审", "", None)
    with pytest.raises(InvalidArgument) as caught:
        call.header("c")
    assert caught.value.reason == "HEADER_REPEATED"


async def test_a_call_that_is_not_sampled_still_has_its_log_line() -> None:
    with captured_spans(ratio=0.0) as spans, captured_logs() as logs:
        assert await called([ServerTelemetry()], answer, Context()) == b"answer"
    assert spans == []
    assert logs.lines[0]["rpc.method"] == METHOD[1:] and logs.lines[0]["duration_ms"] >= 0
