"""The proof that a record is in the log, against a checkpoint that was signed."""

from meshkit.errors import NotFound
from meshkit.tenants import checked_tenant
from translog.reader import InclusionProof

from audit.domain.ids import checked_id
from audit.ports import AuditReader


async def get_inclusion_proof(reader: AuditReader, *, tenant: str, record_id: str, tree_size: int) -> InclusionProof:
    """Return the proof; raises InvalidArgument, NotFound (record unknown, or no checkpoint of that size), Unavailable, DataCorrupted."""
    checked_tenant(tenant)
    checked_id(record_id, "audit_record_id")
    leaf = await reader.record(record_id)
    if leaf.tenant != tenant:
        raise NotFound("no such record", reason="AUDIT_RECORD_UNKNOWN")
    return await reader.inclusion(record_id, tree_size)
