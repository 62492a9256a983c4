"""The official JavaScript client at the HTTP door."""

from __future__ import annotations

from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router

from tests.component.gateway.conftest import Door, OpenDoor
from tests.component.gateway.openai_clients import key
from tests.component.gateway.scripted_rag import SENTENCES, URL, refused
from tests.component.gateway.scripted_router import admitted, ended, finished
from tests.javascript import seen

ALIASES = {"gpt-4o-mini": "smollm2"}


KNOWLEDGE = "knowledge/knowledge"


async def of_documents(door: Door, *examples: str) -> dict[str, object]:
    token = key(door, roles=["knowledge-reader"], purposes=["claims-handling"], clearance=2)
    return await seen(door.certs, f"https://localhost:{door.service.http_port}/v1", token, KNOWLEDGE, *examples)


async def of(door: Door, *examples: str) -> dict[str, object]:
    return await seen(door.certs, f"https://localhost:{door.service.http_port}/v1", key(door), "gpt-4o-mini", *examples)


async def test_what_its_users_write(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES}) as door:
        found = await of(door, "chat", "streamed", "events", "models", "refusal", "raw")
    assert found["chat"] == {
        "content": "你好，世界", "reason": "stop",
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
                  "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}},
    }  # fmt: skip
    assert found["streamed"] == {"content": "你好，世界", "usage": found["chat"]["usage"]}
    assert found["events"] == {"heard": "你好，世界", "content": "你好，世界"}
    assert found["models"] == ["smollm2", "gpt-4o-mini"]
    assert found["refusal"] == {"kind": "BadRequestError", "code": "unsupported_parameter", "param": "presence_penalty"}
    assert found["raw"] == {"same": True, "id": door.router.facts[-1].request_id}
    assert {request.model for request in door.router.requests if isinstance(request, router.GenerateRequest)} == {"smollm2"}


async def test_completions_of_two_prompts_with_logprobs(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES}) as door:
        token = generation.Token(token_id=5, logprob=-0.5, text=b"a", top=[generation.TokenLogprob(token_id=5, logprob=-0.5, text=b"a")])
        said = router.GenerateResponse(delta=router.Delta(text="a", logprobs=[token]))
        door.router.script = (admitted(), said, finished(), ended())
        found = await of(door, "completion")
    assert found["completion"] == [{"index": 0, "text": "a", "tokens": 1}, {"index": 1, "text": "a", "tokens": 1}]


async def test_a_stream_that_it_leaves_ends_the_work(open_door: OpenDoor) -> None:
    async with open_door(http={"aliases": ALIASES}) as door:
        assert (await of(door, "aborted"))["aborted"] is True
        await door.router.ended.wait()


async def test_answers_from_documents_with_their_citations(door: Door) -> None:
    found = await of_documents(door, "cited", "citedStreamed", "citedEvents", "models", "notForModels")
    text, cited = "\n".join(SENTENCES), [[URL, "安心医疗条款", each] for each in SENTENCES]
    assert found["cited"] == {"content": text, "reason": "stop", "cited": cited, "more": "record-1"}
    assert found["citedStreamed"] == {"content": text, "cited": cited, "tokens": 0}
    assert found["citedEvents"] == text and found["models"] == [KNOWLEDGE]
    assert found["notForModels"] == [["BadRequestError", "temperature"], ["BadRequestError", "tools"], ["PermissionDeniedError", None]]
    assert [request.conversation_id for request in door.rag.requests] == ["保单 7", "", ""] and not door.router.requests


async def test_documents_that_do_not_say_it_are_no_error(door: Door) -> None:
    door.rag.script = refused()
    found = await of_documents(door, "cited")
    assert found["cited"] == {"content": "在您有权查阅的文件中没有找到答案。", "reason": "stop", "cited": [], "more": "record-1"}
