"""The RPC process: questions, uploads, curators. It follows the ledger into lexical indexes of its own."""

from __future__ import annotations

from contextlib import aclosing

from finmesh.rag.v1 import rag_service_pb2, rag_service_pb2_grpc
from meshkit.rpc.deadline import Deadlines
from meshkit.rpc.server import MeshServer
from meshkit.service import Service, load_config, run

from rag.adapters.numpy_lexical import NumpyLexical
from rag.config import SERVICE, RpcConfig
from rag.domain import terms
from rag.main.parts import assemble
from rag.servicer import RagServicer, UseCases
from rag.steps.evidence import Evidence
from rag.steps.purging import Purging
from rag.translate.records import RecordCodec
from rag.usecases.commit_upload import CommitUpload
from rag.usecases.decide_quarantine import DecideQuarantine
from rag.usecases.get_status import GetStatus
from rag.usecases.purge import Purge
from rag.usecases.set_grant import SetGrant
from rag.usecases.set_hold import SetHold
from rag.usecases.withdraw_document import WithdrawDocument

_SERVICE = rag_service_pb2.DESCRIPTOR.services_by_name["RagService"].full_name
_LONG_S = {"Ask": 300.0, "Search": 15.0, "PutPart": 15.0, "ListClauses": 30.0, "Compare": 30.0, "CommitUpload": 30.0, "Purge": 30.0}
DEADLINES = Deadlines(maximum_s={f"/{_SERVICE}/{name}": seconds for name, seconds in _LONG_S.items()})  # as the gateway's routes


async def main() -> None:
    """Run until SIGTERM. Exit codes: 0 stopped, 1 failed, 2 wrong configuration."""
    config = load_config(RpcConfig)
    async with Service(config, SERVICE) as service:
        await serve(config, service)


async def serve(config: RpcConfig, service: Service) -> None:
    """Build everything and serve."""
    parts = await assemble(config, service, "rpc")
    ledger, clock = parts.ledger, parts.clock
    lexical = await service.add(NumpyLexical(config.reader.index, terms.terms, f"terms {terms.VERSION}"))
    codec = RecordCodec(parts.trail.records, parts.commitments)
    evidence = await service.add(aclosing(Evidence(codec, parts.trail.emitter, ledger.references, ledger.reports)))
    use = UseCases(
        blobs=parts.blobs,
        commit_upload=CommitUpload(parts.blobs, ledger.intake, clock),
        withdraw_document=WithdrawDocument(ledger.intake, clock),
        get_status=GetStatus(ledger.library, ledger.intake, lexical, list),
        set_grant=SetGrant(ledger.custody, evidence, clock),
        set_hold=SetHold(ledger.custody, evidence, clock),
        decide_quarantine=DecideQuarantine(ledger.custody, evidence, clock),
        purge=Purge(ledger.custody, Purging(ledger.custody, parts.blobs, clock), evidence, clock),
    )
    server = MeshServer.of(config, config.callers, DEADLINES, refused=parts.denials.refused)
    rag_service_pb2_grpc.add_RagServiceServicer_to_server(RagServicer(use), server)  # type: ignore[arg-type, abstract]
    await service.run(server)


if __name__ == "__main__":
    run(main())
