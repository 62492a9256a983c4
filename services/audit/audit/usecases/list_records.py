"""Records of a request or of a decision, page by page."""

import re

from meshkit.errors import InvalidArgument
from meshkit.tenants import checked_tenant
from translog.reader import Leaf

from audit.domain.ids import checked_id
from audit.ports import AuditReader

DEFAULT_PAGE = 100
MAX_PAGE = 1000
_TOKEN = re.compile(r"[0-9]{1,18}")


async def list_records(
    reader: AuditReader, *, tenant: str, request_id: str, decision_id: str, page_size: int, page_token: str
) -> tuple[list[Leaf], str]:
    """Return leaves oldest first and the token of the next page (empty at the end). Exactly one of the two ids is given.

    Raises InvalidArgument, Unavailable.
    """
    checked_tenant(tenant)
    if bool(request_id) == bool(decision_id):
        raise InvalidArgument("ask by request id or by decision id", reason="QUERY_INCOMPLETE", metadata={"field": "by"})
    checked_id(request_id or decision_id, "request_id" if request_id else "decision_id")
    if page_size > MAX_PAGE:
        raise InvalidArgument(f"a page has at most {MAX_PAGE} records", reason="PAGE_TOO_LARGE", metadata={"field": "page_size"})
    if page_token and not _TOKEN.fullmatch(page_token):
        raise InvalidArgument("not a page token of this service", reason="MALFORMED_PAGE_TOKEN", metadata={"field": "page_token"})
    limit = page_size or DEFAULT_PAGE
    after = int(page_token) if page_token else -1
    leaves = await reader.find(request_id=request_id, decision_id=decision_id, tenant=tenant, after=after, limit=limit + 1)
    page = leaves[:limit]
    return page, str(page[-1].index) if len(leaves) > limit else ""
