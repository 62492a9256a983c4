"""The RPC process: questions, uploads, curators. It follows the ledger into lexical indexes of its own."""

from __future__ import annotations

from contextlib import aclosing

from finmesh.rag.v1 import rag_service_pb2, rag_service_pb2_grpc
from meshkit.audit.records import POLICIES
from meshkit.errors import Unavailable
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

from rag import ports
from rag.adapters.file_scenarios import file_scenarios
from rag.adapters.grpc_answerer import GrpcAnswerer
from rag.adapters.numpy_lexical import NumpyLexical
from rag.config import SERVICE, RpcConfig
from rag.domain import terms
from rag.domain.answering.generated import verified
from rag.main.legs import DenseLeg, dense_leg, set_aside_alarm
from rag.main.parts import Parts, assemble
from rag.servicer import RagServicer, UseCases
from rag.steps.follow import Follow
from rag.steps.holds import Holds
from rag.steps.legs import LexicalLeg
from rag.steps.purging import Purging
from rag.steps.quote import Quote
from rag.steps.resolve import Resolve
from rag.steps.retrieve import Legs, Retrieve
from rag.steps.rights import Rights
from rag.steps.served import Served
from rag.steps.whole import Whole
from rag.usecases.ask import Ask
from rag.usecases.commit_upload import CommitUpload
from rag.usecases.compare import Compare
from rag.usecases.decide_quarantine import DecideQuarantine
from rag.usecases.get_conversation import GetConversation
from rag.usecases.get_document import GetDocument
from rag.usecases.get_passage import GetPassage
from rag.usecases.get_status import GetStatus
from rag.usecases.list_clauses import ListClauses
from rag.usecases.list_documents import ListDocuments
from rag.usecases.purge import Purge
from rag.usecases.search import Search
from rag.usecases.set_grant import SetGrant
from rag.usecases.set_hold import SetHold
from rag.usecases.tune import Tune
from rag.usecases.withdraw_document import WithdrawDocument

_SERVICE = rag_service_pb2.DESCRIPTOR.services_by_name["RagService"].full_name
_LONG_S = {
    "Ask": 300.0,
    "Search": 15.0,
    "PutPart": 15.0,
    "ListClauses": 30.0,
    "Compare": 30.0,
    "CommitUpload": 30.0,
    "Purge": 30.0,
    "Tune": 1_800.0,
}
DEADLINES = Deadlines(maximum_s={f"/{_SERVICE}/{name}": seconds for name, seconds in _LONG_S.items()})  # as the gateway's routes
_SCENARIOS_S = 2.0


async def main() -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = load_config(RpcConfig)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: RpcConfig, service: Service) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, "rpc")
    lexical = await service.add(NumpyLexical(config.reader.index, terms.terms, f"terms {terms.VERSION}"))
    follow = Follow(
        parts.ledger.library,
        LexicalLeg(lexical),
        parts.clock,
        follower=parts.instance,
        alarm=set_aside_alarm(service, "lexical index"),
    )
    service.task(follow.run(), name="lexical index", endless=True)
    service.not_ready("index", "STARTING")
    service.watch("index", lambda: _caught_up(follow), interval_s=0.25, needed=True)
    use = await use_cases(config, service, parts, lexical, follow, await dense_leg(config, service))
    server = MeshServer.of(config, config.callers, DEADLINES, refused=parts.denials.refused)
    rag_service_pb2_grpc.add_RagServiceServicer_to_server(RagServicer(use), server)  # type: ignore[arg-type]
    await service.run(server)


async def served(config: RpcConfig, service: Service) -> Served | None:
    """Return what asks models of the router; None where no router is known."""
    if (target := config.upstream.get("router")) is None:
        return None
    return Served(await service.add(aclosing(GrpcAnswerer(target, config.tls))), verified)


async def use_cases(
    config: RpcConfig, service: Service, parts: Parts, lexical: ports.Lexical, follow: Follow, dense: DenseLeg | None
) -> UseCases:
    """Return what the RPCs call."""
    ledger, clock, blobs, reader = parts.ledger, parts.clock, parts.blobs, config.reader
    vectors, encoder = (dense.vectors, dense.encoder) if dense else (None, None)
    scenarios = file_scenarios(config.scenarios)
    service.watch("scenarios", scenarios.reload, interval_s=_SCENARIOS_S)
    parts.trail.versions.follow(POLICIES, lambda: scenarios.value.sha256, "scenarios")
    legs = _legs(config, lexical, dense)
    resolve = Resolve(ledger.library)
    retrieve, whole = Retrieve(ledger.library, legs, resolve, ledger.tunings), Whole(ledger.library, resolve)
    rights = Rights(ledger.library, clock)
    evidence = await service.add(aclosing(parts.evidence()))
    purging = Purging(ledger.custody, blobs, clock)

    async def reached(sequence: int) -> None:
        if sequence and not await follow.reached(sequence, reader.catch_up_s):
            raise Unavailable("the sequence cannot be searched yet", reason="SEQUENCE_NOT_REACHED", retry_after_s=1.0)

    ask = Ask(
        rights=rights,
        retrieve=retrieve,
        reached=reached,
        evidence=evidence,
        conversations=ledger.conversations,
        reports=ledger.reports,
        scenarios=lambda: scenarios.value,
        quote=Quote(lexical),
        served=await served(config, service),
    )
    return UseCases(
        clock=clock,
        blobs=blobs,
        conversations=ledger.conversations,
        reports=ledger.reports,
        ask=ask,
        search=Search(rights=rights, retrieve=retrieve, reached=reached, evidence=evidence),
        list_clauses=ListClauses(ledger.library, whole, rights, evidence),
        compare=Compare(ledger.library, whole, rights, evidence),
        list_documents=ListDocuments(ledger.library, rights),
        get_document=GetDocument(ledger.library, rights),
        get_passage=GetPassage(ledger.library, rights, evidence),
        get_conversation=GetConversation(ledger.library, ledger.conversations, rights, evidence),
        set_grant=SetGrant(ledger.custody, evidence, clock),
        decide_quarantine=DecideQuarantine(ledger.custody, evidence, clock),
        set_hold=SetHold(ledger.custody, evidence, clock),
        purge=Purge(ledger.custody, purging, evidence, clock),
        holds=Holds(ledger.custody),
        commit_upload=CommitUpload(blobs, ledger.intake, clock),
        withdraw_document=WithdrawDocument(ledger.intake, evidence, clock),
        get_status=GetStatus(ledger.library, ledger.intake, lexical, vectors),
        tune=Tune(library=ledger.library, lexical=lexical, vectors=vectors, encoder=encoder, tunings=ledger.tunings, clock=clock),
    )


def _legs(config: RpcConfig, lexical: ports.Lexical, dense: DenseLeg | None) -> Legs:
    """Without an encoder the lexical leg stands alone. A question waits for the dense one a tenth and a fifth of what writing may take."""
    vectors, encoder = (dense.vectors, dense.encoder) if dense else (None, None)
    return Legs(
        lexical,
        vectors,
        encoder,
        encoder_s=config.encoder.timeout_ms / 10_000,
        vectors_s=config.milvus.timeout_ms / 5_000,
        candidates=config.reader.candidates,
    )


async def _caught_up(follow: Follow) -> None:
    """Before the end of the log was reached once, much may be missing."""
    if not follow.caught_up:
        raise Unavailable("the index is being made", reason="INDEX_BEHIND")


if __name__ == "__main__":
    run(main())
