"""AuditService: translate, call, translate."""

from collections.abc import Callable

from finmesh.audit.v1 import audit_service_pb2 as pb
from finmesh.audit.v1 import audit_service_pb2_grpc as rpc
from meshkit.errors import PermissionDenied
from meshkit.rpc.chain import current_call
from meshkit.rpc.metadata import caller_facts

from audit.ports import AuditReader
from audit.translate import leaf_message
from audit.usecases.get_checkpoint import get_checkpoint
from audit.usecases.get_consistency_proof import get_consistency_proof
from audit.usecases.get_inclusion_proof import get_inclusion_proof
from audit.usecases.get_statistics import get_statistics
from audit.usecases.list_records import list_records


def callers_tenant() -> str:
    """The tenant that the gateway established for the current call; empty when it did not."""
    return caller_facts(current_call()).tenant


class AuditServicer(rpc.AuditServiceServicer):
    """One method per RPC."""

    def __init__(self, reader: AuditReader, established_tenant: Callable[[], str] = callers_tenant) -> None:
        self._reader = reader
        self._established_tenant = established_tenant

    async def ListRecords(self, request: pb.ListRecordsRequest, context: object) -> pb.ListRecordsResponse:  # noqa: N802
        """Return records of a request or decision."""
        leaves, token = await list_records(
            self._reader,
            tenant=self._tenant(request.tenant),
            request_id=request.request_id,
            decision_id=request.decision_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListRecordsResponse(leaves=[leaf_message(leaf) for leaf in leaves], next_page_token=token)

    async def GetInclusionProof(self, request: pb.GetInclusionProofRequest, context: object) -> pb.GetInclusionProofResponse:  # noqa: N802
        """Prove that a record is in the log."""
        proof = await get_inclusion_proof(
            self._reader, tenant=self._tenant(request.tenant), record_id=request.audit_record_id, tree_size=request.tree_size
        )
        leaf = leaf_message(proof.leaf)
        return pb.GetInclusionProofResponse(leaf=leaf, tree_size=proof.size, hashes=proof.hashes, checkpoint=proof.note)

    async def GetConsistencyProof(  # noqa: N802
        self, request: pb.GetConsistencyProofRequest, context: object
    ) -> pb.GetConsistencyProofResponse:
        """Prove that the log only grew."""
        proof = await get_consistency_proof(self._reader, first=request.first_tree_size, second=request.second_tree_size)
        return pb.GetConsistencyProofResponse(hashes=proof.hashes, second_tree_size=proof.new_size, checkpoint=proof.new_note)

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: object) -> pb.GetCheckpointResponse:  # noqa: N802
        """Return the newest signed checkpoint."""
        note, verifier_key = await get_checkpoint(self._reader)
        return pb.GetCheckpointResponse(checkpoint=note, verifier_key=verifier_key)

    async def GetStatistics(self, request: pb.GetStatisticsRequest, context: object) -> pb.GetStatisticsResponse:  # noqa: N802
        """Return counts for completeness checks."""
        counts = await get_statistics(self._reader, tenant=self._tenant(request.tenant))
        return pb.GetStatisticsResponse(
            records=counts.records, conflicts=counts.conflicts, poison=counts.poison, gaps=counts.gaps, tree_size=counts.tree_size
        )

    def _tenant(self, asked: str) -> str:
        """A caller that came through the gateway reads its own tenant's records alone."""
        established = self._established_tenant()
        if established and asked != established:
            raise PermissionDenied("records of another tenant", reason="TENANT_MISMATCH")
        return asked
