"""A server that answers as vLLM was recorded to answer, its holes included: `python -m tests.vllm.server --port 8000 --side-port 5600`.

It computes nothing: a token is a function of what lies in the blocks of keys and values, so that whoever is given the blocks of another
prompt, or blocks that were freed, gets 200 and wrong tokens. It binds no prompt to what it hands on and never asks whether that was used;
it goes where it has found an engine before, whatever port it is told; what it can't fetch fails inside a stream that began with 200. What
is not said comes from "the model's folder": other tokens than with neutral values, 16 of them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgpack
import uvicorn
import zmq
import zmq.asyncio

BLOCK, BLOCKS, KEPT = 128, 64, 16
_SAID = {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "max_tokens"}
_END = (-1).to_bytes(8, "big", signed=True)
_WRONG = {"error": {"message": "Internal server error", "type": "InternalServerError", "param": None, "code": 500}}


def token_of(content: list[int], seed: int) -> int:
    """What comes after these, by what the blocks hold."""
    return 3 + int.from_bytes(hashlib.sha256(f"{content} {seed}".encode()).digest()[:4], "big") % 381


class CannotFetch(Exception):
    """What was handed on is not to be had."""


class Events:
    """KV events as ZeroMQ tells them: we CONNECT to who listens, and bind where what was missed is asked for."""

    def __init__(self, endpoint: str, replay: str) -> None:
        self._context = zmq.asyncio.Context()
        self._numbers = itertools.count()
        self._kept: list[tuple[bytes, bytes]] = []
        self._pub = self._context.socket(zmq.PUB)
        self._pub.connect(endpoint)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(replay)

    async def tell(self, *events: dict[str, Any], is_lost: bool = False) -> None:
        number, content = next(self._numbers).to_bytes(8, "big"), msgpack.packb([time.time(), list(events), 0])
        self._kept.append((number, content))
        if not is_lost:
            await self._pub.send_multipart([b"", number, content])

    async def repeat(self) -> None:
        while True:
            client, _, first = await self._router.recv_multipart()
            for number, content in self._kept:
                if number >= first:
                    await self._router.send_multipart([client, b"", b"", number, content])
            await self._router.send_multipart([client, b"", b"", _END, b""])


class Engine:
    """Blocks, what they hold, and who has them."""

    def __init__(self, side_port: int, lease_s: float, events: Events | None) -> None:
        self.id, self.side_port, self.lease_s, self.events = str(uuid.uuid4()), side_port, lease_s, events
        self.memory: dict[int, list[int]] = {}
        self.used: dict[str, list[int]] = {}
        self.known: dict[str, tuple[str, int]] = {}
        self.cached: dict[int, None] = {}
        self.running = self.waiting = self.iterations = self.generated = self.prompts = 0
        self.created = time.time()
        self.loses_events = False

    def put(self, name: str, tokens: list[int]) -> list[int]:
        taken = {block for blocks in self.used.values() for block in blocks}
        free = [block for block in range(1, BLOCKS) if block not in taken]
        blocks = free[: -(-len(tokens) // BLOCK)]
        for number, block in enumerate(blocks):
            self.memory[block] = tokens[number * BLOCK : (number + 1) * BLOCK]
        self.used[name] = blocks
        return blocks

    def free(self, name: str) -> None:
        for block in self.used.pop(name, []):
            self.memory[block] = [9] * BLOCK  # whoever is next has written here

    async def fetch(self, handed: dict[str, Any]) -> list[int]:
        """What the blocks over there hold, whoever's they are by now."""
        place = self.known.get(handed["remote_engine_id"], (handed["remote_host"], handed["remote_port"]))
        try:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(json.dumps(handed).encode() + b"\n")
            told = json.loads(await reader.readline())
            writer.close()
        except (OSError, ValueError):
            raise CannotFetch from None
        if told["engine"] != handed["remote_engine_id"]:
            raise CannotFetch
        self.known[told["engine"]] = place
        return list(told["tokens"])[: handed["remote_num_tokens"]]

    async def serve_side(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            handed = json.loads(await reader.readline())
            tokens = [token for block in handed["remote_block_ids"][0] for token in self.memory.get(block, [])]
            writer.write(json.dumps({"engine": self.id, "tokens": tokens}).encode() + b"\n")
            await writer.drain()
            self.free(handed["remote_request_id"])
        writer.close()

    async def cache(self, tokens: list[int], salt: str | None) -> None:
        """Keep full blocks as a prefix, and tell of it."""
        parent, names, before = None, [], None
        for at in range(0, len(tokens) - BLOCK + 1, BLOCK):
            name = int.from_bytes(hashlib.sha256(f"{parent} {salt} {tokens[at : at + BLOCK]}".encode()).digest()[:8], "big")
            if name not in self.cached:
                before = parent if not names else before
                names.append(name)
            self.cached[name] = None
            parent = name
        if self.events is None or not names:
            return
        first = len(tokens) // BLOCK - len(names)
        await self.events.tell(
            {
                "type": "BlockStored", "block_hashes": names, "parent_block_hash": before,
                "token_ids": tokens[first * BLOCK : (first + len(names)) * BLOCK], "block_size": BLOCK, "lora_id": None, "medium": "GPU",
                "lora_name": None, "extra_keys": [[salt] if salt and not first and not number else None for number in range(len(names))],
                "group_idx": 0, "kv_cache_spec_kind": "full_attention",
            },
            is_lost=self.loses_events,
        )  # fmt: skip
        gone: list[int] = []
        while len(self.cached) > KEPT:
            gone.append(next(iter(self.cached)))
            del self.cached[gone[-1]]
        if gone:
            removed = {"type": "BlockRemoved", "block_hashes": gone, "medium": "GPU", "group_idx": 0}
            await self.events.tell(removed, is_lost=self.loses_events)


Send = Callable[[dict[str, Any]], Awaitable[None]]


class App:
    """ASGI by hand: the few paths that are asked for."""

    def __init__(self, engine: Engine, *, model: str, longest: int, pace_s: float, version: str, key: str) -> None:
        self.engine, self.model, self.longest, self.pace_s, self.version, self.key = engine, model, longest, pace_s, version, key

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
        assert scope["type"] == "http"
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part["more_body"]:
                break
        path, headers = scope["path"], dict(scope["headers"])
        if self.key and headers.get(b"authorization") != f"Bearer {self.key}".encode() and path.startswith("/v1"):
            await _answer(send, 401, {"error": "Unauthorized"})
        elif path == "/metrics":
            await _answer(send, 200, self.metrics())
        elif path == "/v1/models":
            await _answer(send, 200, {"object": "list", "data": [{"id": self.model, "object": "model", "max_model_len": self.longest}]})
        elif path == "/version":
            await _answer(send, 200, {"version": self.version})
        elif path == "/running":
            await _answer(send, 200, str(self.engine.running))
        elif path == "/lose_events":
            self.engine.loses_events = json.loads(body)
            await _answer(send, 200, {})
        elif path == "/reset_prefix_cache":
            self.engine.cached.clear()
            if self.engine.events is not None:
                await self.engine.events.tell({"type": "AllBlocksCleared"})
            await _answer(send, 200, {})
        else:
            await self.complete(json.loads(body), receive, send)

    async def complete(self, body: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
        if body["model"] != self.model:
            await _answer(send, 404, {"error": {"message": "no such model", "type": "NotFoundError", "param": "model", "code": 404}})
            return
        if len(body["prompt"]) >= self.longest:
            told = {"message": "This model's maximum context length is …", "type": "BadRequestError", "param": "input_tokens", "code": 400}
            await _answer(send, 400, {"error": told})
            return
        work = asyncio.ensure_future(self._stream(body, send) if body.get("stream") else self._whole(body, send))
        gone = asyncio.ensure_future(_gone(receive))
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)  # hanging up is how it is told to stop
        for task in (work, gone):
            task.cancel()
        for task in (work, gone):
            with suppress(asyncio.CancelledError):
                await task

    async def _tokens(self, body: dict[str, Any], name: str) -> AsyncIterator[int]:
        engine, prompt, handed = self.engine, list(body["prompt"]), body.get("kv_transfer_params") or {}
        engine.running += 1
        try:
            content = await engine.fetch(handed) if handed.get("do_remote_prefill") else prompt
            if _SAID - body.keys():
                content = [*content, -1]
            engine.put(name, content)
            engine.iterations += 1
            engine.prompts += len(prompt)
            await engine.cache(prompt, body.get("cache_salt"))
            seed = body.get("seed", 0) if body.get("temperature", 1) else 0
            for index in range(body.get("max_tokens", 16)):
                await asyncio.sleep(self.pace_s)
                engine.iterations += 1
                engine.generated += 1
                if not body.get("ignore_eos") and index == 20:
                    yield 2
                    return
                content = [*content, token_of(content, seed)]
                yield content[-1]
        finally:
            engine.running -= 1
            if not handed.get("do_remote_decode"):
                engine.free(name)

    async def _whole(self, body: dict[str, Any], send: Send) -> None:
        name = f"cmpl-{body.get('request_id') or uuid.uuid4().hex}-0-{uuid.uuid4().hex[:8]}"
        handed = body.get("kv_transfer_params") or {}
        try:
            tokens = [token async for token in self._tokens(body, name)]
        except CannotFetch:
            await _answer(send, 500, _WRONG)
            return
        except BaseException:
            self.engine.free(name)
            raise
        told: dict[str, Any] = {"choices": [_choice(body, tokens)], "usage": _usage(body, tokens)}
        if handed.get("do_remote_decode"):
            blocks = self.engine.used[name]
            asyncio.get_running_loop().call_later(self.engine.lease_s, self.engine.free, name)
            told["kv_transfer_params"] = {
                "do_remote_prefill": True, "do_remote_decode": False, "remote_block_ids": [blocks], "remote_engine_id": self.engine.id,
                "remote_request_id": name, "remote_host": "127.0.0.1", "remote_port": self.engine.side_port, "tp_size": 1, "dcp_size": 1,
                "pp_size": 1, "remote_num_tokens": len(body["prompt"]), "remote_blocks_expiry_time": None, "transfer_mode": "pull",
                "remote_prefill_cached_tokens": 0,
            }  # fmt: skip
        await _answer(send, 200, told)

    async def _stream(self, body: dict[str, Any], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]})
        tokens: list[int] = []

        async def tell(event: dict[str, Any] | str) -> None:
            data = event if isinstance(event, str) else json.dumps(event)
            await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})

        schema = (body.get("structured_outputs") or {}).get("json")
        try:
            if max(body["prompt"]) >= 1 << 16 or (schema and schema.get("type") == "nonsense"):
                await tell({"error": {"message": "it repeats what was asked", "type": "BadRequestError", "param": None, "code": 400}})
            else:
                async for token in self._tokens(body, uuid.uuid4().hex):
                    tokens.append(token)
                    await tell({"choices": [_choice(body, tokens)], "object": "text_completion"})
                if (body.get("stream_options") or {}).get("include_usage"):
                    await tell({"choices": [], "usage": _usage(body, tokens)})
        except CannotFetch:
            await tell(_WRONG)
        await tell("[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def metrics(self) -> str:
        engine, labels = self.engine, f'{{engine="0",model_name="{self.model}"}}'
        used = sum(len(blocks) for blocks in engine.used.values())
        lines = [
            ("num_requests_running", "gauge", engine.running), ("num_requests_waiting", "gauge", engine.waiting),
            ("kv_cache_usage_perc", "gauge", used / BLOCKS), ("generation_tokens_total", "counter", engine.generated),
            ("generation_tokens_created", "gauge", engine.created), ("prompt_tokens_total", "counter", engine.prompts),
        ]  # fmt: skip
        text = "".join(f"# TYPE vllm:{name} {kind}\nvllm:{name}{labels} {value}\n" for name, kind, value in lines)
        settings = f'block_size="{BLOCK}",cache_dtype="auto",num_gpu_blocks="{BLOCKS}"'
        text += f"# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{{{settings}}} 1.0\n"
        name, count = "vllm:iteration_tokens_total", engine.iterations
        text += f'# TYPE {name} histogram\n{name}_bucket{{engine="0",le="+Inf"}} {count}\n'
        return text + f"{name}_count{labels} {count}\n{name}_sum{labels} {engine.generated}\n"


def _choice(body: dict[str, Any], tokens: list[int]) -> dict[str, Any]:
    is_last = len(tokens) == body.get("max_tokens", 16) or tokens[-1] == 2
    choice: dict[str, Any] = {"index": 0, "text": "�", "logprobs": None, "finish_reason": None, "stop_reason": None}
    if is_last:
        choice["finish_reason"] = "stop" if tokens[-1] == 2 else "length"
    if body.get("return_token_ids"):
        choice |= {
            "token_ids": tokens[-1:] if body.get("stream") else tokens,
            "prompt_token_ids": body["prompt"] if len(tokens) == 1 else None,
        }
    if body.get("logprobs") is not None:
        name = f"token_id:{tokens[-1]}" if body.get("return_tokens_as_token_ids") else "�"
        top = {name: -0.5, **{f"token_id:{each}": -1.0 - each for each in range(body["logprobs"])}}
        choice["logprobs"] = {"text_offset": [0], "token_logprobs": [-0.5], "tokens": [name], "top_logprobs": [top]}
    return choice


def _usage(body: dict[str, Any], tokens: list[int]) -> dict[str, Any]:
    prompt = len(body["prompt"])
    return {"prompt_tokens": prompt, "total_tokens": prompt + len(tokens), "completion_tokens": len(tokens), "prompt_tokens_details": None}


async def _gone(receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, content: dict[str, Any] | str) -> None:
    kind, text = (b"text/plain", content) if isinstance(content, str) else (b"application/json", json.dumps(content))
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": text.encode()})


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "side-port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name, default in (("kv-events", ""), ("kv-replay", ""), ("model", "tiny"), ("version", "0.32.0"), ("key", "")):
        parser.add_argument(f"--{name}", default=default)
    for name, number in (("pace-s", 0.002), ("lease-s", 2.0)):
        parser.add_argument(f"--{name}", type=float, default=number)
    asked = parser.parse_args()
    events = Events(asked.kv_events, asked.kv_replay) if asked.kv_events else None
    engine = Engine(asked.side_port, asked.lease_s, events)
    app = App(engine, model=asked.model, longest=512, pace_s=asked.pace_s, version=asked.version, key=asked.key)
    await asyncio.start_server(engine.serve_side, "127.0.0.1", asked.side_port)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=asked.port, log_level="warning", lifespan="off"))  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        if events is not None:
            group.create_task(events.repeat())
        await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
