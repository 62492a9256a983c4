"""A short conversation with the mesh's own model, streamed as it is written; then where it went, and the proof of its last answer.

It is held after the day's transactions, so that it takes nothing from them. The model is small: what it says is of no account, that it is
said through gateway, router, prefill and decode is.
"""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_cli import proofs
from finmesh_cli.failures import TamperError
from finmesh_client import GatewayClient
from meshkit.errors import MeshError, NotFound
from meshkit.telemetry.context import TraceContext, attached, new_root
from meshkit.telemetry.spans import record
from rich.console import Console
from translog.errors import TranslogError
from translog.note import Verifier

from drills.bankday import by_http
from drills.bankday.site import Site
from drills.checks import traces
from drills.checks.answered import ASK_AGAIN_S

TENANT = "bank-a"
SYSTEM = "You are a helpful assistant of a bank. Answer in one or two short sentences."
QUESTIONS = ("What is a chargeback?", "Who pays for it?")
MAX_OUTPUT_TOKENS = 48
_ANSWER_S, _WAIT_S = 120.0, 10.0
_LEGS = {"gateway", "router", "inference-prefill", "inference-decode"}


@dataclass
class Conversation:
    """What came of it. `finding`: why it failed, empty when it did not."""

    answers: list[str] = field(default_factory=list)
    first_token_ms: list[float] = field(default_factory=list)
    output_tokens: int = 0
    seconds: float = 0.0
    handed_over: bool = False
    finding: str = ""
    proof: str = ""
    model: str = ""
    by_http: str = ""
    trace_url: str = ""
    trace: list[str] = field(default_factory=list)


async def converse(site: Site, console: Console) -> Conversation:
    """Ask every question, each after what was said before. Raises nothing of the mesh: what fails is the finding."""
    held = Conversation()
    messages = [router.Message(role="system", content=SYSTEM)]
    async with site.assistant() as door:
        try:
            for question in QUESTIONS:
                messages.append(router.Message(role="user", content=question))
                ended, context = await _answer(door, messages, held, console)
                messages.append(router.Message(role="assistant", content=held.answers[-1]))
            held.handed_over = ended.provenance.disaggregated
            held.by_http = await by_http.ask(site, held.model, QUESTIONS[0], MAX_OUTPUT_TOKENS)
        except MeshError as error:
            held.finding = f"the model did not answer: {error.reason} {error}"
            return held
    async with site.auditor() as gateway:
        await _prove(gateway, ended, held)
    await _trace(site, f"{context.trace_id:032x}", held)
    return held


async def _answer(
    door: GatewayClient, messages: list[router.Message], held: Conversation, console: Console
) -> tuple[router.Ended, TraceContext]:
    """One answer, printed piece by piece; the end of its stream and its trace. Raises MeshError."""
    console.print(f"\n[bold]{messages[-1].content}[/]", highlight=False)
    asked = router.GenerateRequest(
        tenant=TENANT,
        grade=grade_pb2.DATA_GRADE_L2,
        conversation=router.Conversation(messages=messages),
        max_output_tokens=MAX_OUTPUT_TOKENS,
        sampling=generation.Sampling(choices=1),
    )
    began, began_ns, text, ended = time.perf_counter(), time.time_ns(), "", router.Ended()
    context = new_root(sampled=True)
    with attached(context):
        async with aclosing(door.generate(asked, _ANSWER_S)) as parts:
            async for part in parts:
                if part.HasField("admitted"):
                    held.model = part.admitted.model
                elif part.HasField("delta"):
                    if not text:
                        held.first_token_ms.append((time.perf_counter() - began) * 1e3)
                    text += part.delta.text
                    console.print(part.delta.text, end="", highlight=False, markup=False, soft_wrap=True)
                elif part.HasField("ended"):
                    ended = part.ended
    record("conversation", context, parent=None, start_ns=began_ns, end_ns=time.time_ns())
    console.print()
    held.answers.append(text)
    held.output_tokens += ended.usage.output_tokens
    held.seconds += time.perf_counter() - began
    return ended, context


async def _prove(gateway: GatewayClient, ended: router.Ended, held: Conversation) -> None:
    """That the record of the end is in the log, verified here; a finding when that can't be shown in time."""
    until_s = time.monotonic() + _WAIT_S
    while time.monotonic() < until_s:
        try:
            stated = (await gateway.get_checkpoint(TENANT)).verifier_key
            proof = await gateway.get_inclusion_proof(TENANT, ended.ended_record_id)
            record = proofs.record_of(proof.leaf.body)
            checkpoint = proofs.check_inclusion(proof.leaf, proof, Verifier.parse(stated))
            if record is None or record.audit_record_id != ended.ended_record_id or record.WhichOneof("detail") != "generation":
                raise TamperError("the proof is of another record")
        except NotFound as error:  # the log is written behind
            held.finding = f"no proof of the conversation: {error}"
        except (MeshError, TranslogError, TamperError) as error:
            held.finding = f"no proof of the conversation: {error}"
            return
        else:
            held.finding = ""
            held.proof = (
                f"the end of generation {record.request_id} is leaf {proof.leaf.index} of {checkpoint.size}: "
                f"{len(proof.hashes)} hashes lead to the signed root, verified here"
            )
            return
        await asyncio.sleep(ASK_AGAIN_S)


async def _trace(site: Site, trace_id: str, held: Conversation) -> None:
    """The trace of the last answer once all four services told their part, or what there is when time is up."""
    zipkin, until_s = traces.Zipkin(site.zipkin), time.monotonic() + _WAIT_S
    spans: list[traces.Span] = []
    while not {traces.service_of(span) for span in spans} >= _LEGS and time.monotonic() < until_s:
        spans = await zipkin.trace(trace_id)
        await asyncio.sleep(ASK_AGAIN_S)
    if spans:
        held.trace_url, held.trace = zipkin.page(trace_id), traces.tree(spans)
