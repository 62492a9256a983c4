"""A whole mesh of LLM serving on the tiny model, with scenarios of its own: one start a module, asked through the gateway alone.

Scenarios: `assistant` always hands over, `e2e-alone` never does, `e2e-other` may use a model that no engine holds and that `assistant`
does not list. Every test has a principal of its own, and so a share of tokens of its own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import shutil
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import gateway
import openai
from backends.triton_link import TritonLink
from finmesh.common.v1 import grade_pb2
from finmesh.engine.v1 import engine_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from llm import tiny
from localmesh import launcher
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import Row
from localmesh.supervisor import Mesh
from meshkit.config import TlsSettings
from meshkit.errors import MeshError
from provisioning.engines import Sizes
from provisioning.tokens import issuer_key, mint
from redis.asyncio import Redis

from tests.engines import NAME, SMALL, tiny_model

TENANT, STAFF = "bank-a", "staff-assistance"
ALONE, OTHER = "e2e-alone", "e2e-other"
OTHER_MODEL = "held-by-nobody"
ALIAS = "gpt-4o-mini"
"""What clients of OpenAI's API may call the tiny model."""
QUOTA_OUTPUT_TOKENS = 3_000
"""Of one principal, a minute."""
_ENGINES = {"triton-prefill": "llm_prefill", "triton-decode": "llm_decode"}
_LEFT_OUT = frozenset({"triton", "risk-stream", "risk-rpc"})
_POLICY = """
@id("e2e")
permit (principal, action in [Action::"Generate", Action::"ListModels"], resource)
when { principal.roles.contains("assistant-user") && ["e2e-alone", "e2e-other"].contains(context.scenario) };
"""


@dataclass
class Answer:
    """What a stream said."""

    admitted: router.Admitted = field(default_factory=router.Admitted)
    texts: dict[int, str] = field(default_factory=dict)
    tokens: dict[int, list[int]] = field(default_factory=dict)
    logprobs: dict[int, list[generation.Token]] = field(default_factory=dict)
    finished: dict[int, generation.ChoiceFinished] = field(default_factory=dict)
    ended: router.Ended = field(default_factory=router.Ended)
    kinds: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Of the first choice."""
        return self.texts.get(0, "")

    @property
    def reason(self) -> str:
        """Why the first choice ended."""
        return generation.FinishReason.Name(self.finished[0].reason).removeprefix("FINISH_REASON_")

    def take(self, part: router.GenerateResponse) -> None:
        """Take note of a part."""
        kind = part.WhichOneof("part")
        self.kinds.append(kind)
        if kind == "admitted":
            self.admitted = part.admitted
        elif kind == "delta":
            delta = part.delta
            self.texts[delta.choice] = self.texts.get(delta.choice, "") + delta.text
            self.tokens.setdefault(delta.choice, []).extend(delta.token_ids)
            self.logprobs.setdefault(delta.choice, []).extend(delta.logprobs)
        elif kind == "finished":
            self.finished[part.finished.choice] = part.finished
        elif kind == "ended":
            self.ended = part.ended


def asked(text: str = "请说明这笔交易被拒绝的原因。", **fields: Any) -> router.GenerateRequest:
    """A greedy question of sixteen tokens at most, unless `fields` say otherwise."""
    known: dict[str, Any] = {"tenant": TENANT, "grade": grade_pb2.DATA_GRADE_L2, "max_output_tokens": 16, "return_token_ids": True}
    if not {"conversation", "text", "tokens"} & set(fields):
        known["conversation"] = said(("user", text))
    return router.GenerateRequest(**known | fields)


def said(*turns: tuple[str, str]) -> router.Conversation:
    """A conversation."""
    return router.Conversation(messages=[router.Message(role=role, content=content) for role, content in turns])


def after(row: Row, name: str, needed: str) -> Row:
    """The row, which waits for another if it is the one named: tests ask at once, and a caller looks again for what came up later within
    half a second."""
    return replace(row, needs=(*row.needs, needed)) if row.name == name else row


class LlmMesh:
    """It runs on a thread of its own, so that tests have event loops of their own. ``model``: folder of another than the tiny one."""

    left_out = _LEFT_OUT

    def __init__(self, var: Path, model: Path | None = None, sizes: Sizes = SMALL) -> None:
        var.mkdir(parents=True)
        self.places = replace(Places.default(), var=var, llm_model=model or tiny_model(var / "models"))
        self.ports = Ports.free()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mesh", daemon=True)
        self._thread.start()
        launcher.ensure_identity(self.places)
        rows = [self._own(after(row, "gateway", "router")) for row in table(self.places, self.ports, sizes=sizes)]
        rows = [row for row in rows if row.name not in self.left_out]
        names = {row.name for row in rows}
        self.mesh = Mesh([replace(row, needs=tuple(each for each in row.needs if each in names)) for row in rows], var)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """It is up inside."""
        try:
            self._run(self.mesh.__aenter__())
            yield self
        finally:
            self._run(self.mesh.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # Whoever asks

    def client(self, *roles: str, sub: str = "", tenant: str = TENANT, purpose: str = STAFF) -> GatewayClient:
        """A client that repeats nothing, of somebody who may ask models unless `roles` say otherwise."""
        certs, token = self.places.certs, self.token(*roles, sub=sub, tenant=tenant, purpose=purpose)
        tls = TlsSettings(authority=certs / "authority.pem", certificate=certs / "client.pem", key=certs / "client.key")
        return GatewayClient(f"{LOOPBACK}:{self.ports.grpc('gateway')}", tls, lambda _: token)

    def token(self, *roles: str, sub: str = "", tenant: str = TENANT, purpose: str = STAFF) -> str:
        """A token of somebody who may ask models unless `roles` say otherwise."""
        who = {"tenant": tenant, "sub": sub or f"staff-{secrets.token_hex(4)}", "roles": list(roles or ("assistant-user",))}
        return mint(issuer_key(self.places.certs), dt.datetime.now(dt.UTC), purposes=[purpose], **who)

    @property
    def door(self) -> str:
        """Where the HTTP door is."""
        return f"https://localhost:{self.ports.process('gateway')['http']}/v1"

    def tls(self) -> ssl.SSLContext:
        """What a workload connects to the HTTP door with."""
        certs = self.places.certs
        made = ssl.create_default_context(cafile=str(certs / "authority.pem"))
        made.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
        return made

    def openai(self, key: str = "") -> openai.AsyncOpenAI:
        """The official client of OpenAI's API at the HTTP door, as somebody who may ask models unless `key` says otherwise."""
        http = openai.DefaultAsyncHttpxClient(verify=self.tls(), trust_env=False)
        return openai.AsyncOpenAI(base_url=self.door, api_key=key or self.token(), http_client=http)

    async def answer(self, request: router.GenerateRequest, timeout_s: float = 30.0, sub: str = "") -> Answer:
        """Ask and read to the end. Raises MeshError."""
        answer = Answer()
        async with self.client(sub=sub) as client, aclosing(client.generate(request, timeout_s)) as parts:
            async for part in parts:
                answer.take(part)
        return answer

    async def refusal(self, request: router.GenerateRequest, timeout_s: float = 30.0, sub: str = "") -> MeshError:
        """Ask for what must be refused."""
        try:
            answer = await self.answer(request, timeout_s, sub)
        except MeshError as error:
            return error
        raise AssertionError(f"answered {answer.text!r} after {answer.kinds}")

    # What is left behind

    async def held(self) -> list[str]:
        """One line for each thing that an engine holds for somebody, and for each generation whose evidence is open."""
        lines = []
        for name, model in _ENGINES.items():
            async with TritonLink(f"{LOOPBACK}:{self.ports.engine(name)['grpc']}", model, secrets.token_hex(12), lambda _: None) as link:
                told = engine_pb2.HeldResult.FromString(await link.ask("held", engine_pb2.OwnerOperation()))
            lines += [f"{name}: {line}" for line in told.held]
        async with Redis.from_url(f"redis://{LOOPBACK}:{self.ports.redis}/0") as redis:
            lines += [f"redis: {key!r}" async for key in redis.scan_iter("finmesh:router:g:*")]
            lines += [f"redis: lease of {name!r}" for name in await redis.zrange("finmesh:router:leases", 0, -1)]
        return lines

    async def nothing_is_held(self) -> None:
        """Returns when nobody holds anything; raises with what is held when that does not come in time."""
        lines = await self.held()
        with suppress(TimeoutError):
            async with asyncio.timeout(20.0):
                while lines:
                    await asyncio.sleep(0.05)
                    lines = await self.held()
        assert not lines

    # What is given to the services

    def _own(self, row: Row) -> Row:
        if row.name == "gateway":
            more = {
                "FINMESH_AUTH__POLICIES": str(self._policies()),
                "FINMESH_BUDGET__PRINCIPAL__OUTPUT_PER_MINUTE": str(QUOTA_OUTPUT_TOKENS),
                "FINMESH_HTTP__ALIASES": json.dumps({ALIAS: NAME}),
            }
        elif row.name == "router":
            other = tiny.make(self.places.var / "models", tiny.Tiny(name=OTHER_MODEL, seed=2))
            more = {
                "FINMESH_SCENARIOS": str(self._scenarios()),
                "FINMESH_MODELS": json.dumps([str(self.places.llm_model), str(other)]),
            }
        else:
            return row
        return replace(row, env={**row.env, **more})

    def _policies(self) -> Path:
        folder = self.places.var / "policies"
        shutil.copytree(Path(str(gateway.__file__)).parent / "policies", folder)
        (folder / "e2e.cedar").write_text(_POLICY)
        return folder

    def _scenarios(self) -> Path:
        common = {
            "models": [NAME], "highest_grade": 3, "default_output_tokens": 32, "max_output_tokens": 1_024, "max_choices": 4,
            "priority": 5, "queue_ttl_s": 10, "threshold_tokens": 256, "alone_tokens": 1_024, "on_stream_break": "replay",
        }  # fmt: skip
        scenarios = {
            "assistant": {**common, "disaggregation": "always"},
            ALONE: {**common, "disaggregation": "never"},
            OTHER: {**common, "disaggregation": "always", "models": [OTHER_MODEL], "queue_ttl_s": 0.2},
        }
        file = self.places.var / "scenarios.yaml"
        file.write_text(json.dumps({"version": "e2e", "scenarios": scenarios}))
        return file
