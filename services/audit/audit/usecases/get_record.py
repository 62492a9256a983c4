"""A record by its id. A record of another tenant does not exist."""

from meshkit.errors import NotFound
from meshkit.tenants import checked_tenant
from translog.reader import Leaf

from audit.domain.ids import checked_id
from audit.ports import AuditReader


async def get_record(reader: AuditReader, *, tenant: str, record_id: str) -> Leaf:
    """Return its leaf; raises InvalidArgument, NotFound AUDIT_RECORD_UNKNOWN, Unavailable."""
    checked_tenant(tenant)
    leaf = await reader.record(checked_id(record_id, "audit_record_id"))
    if leaf.tenant != tenant:
        raise NotFound("no such record", reason="AUDIT_RECORD_UNKNOWN")
    return leaf
