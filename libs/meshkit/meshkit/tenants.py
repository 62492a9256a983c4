"""What a tenant may be called: the one definition, for tokens, headers, messages, events, files and commands.

A tenant travels in headers, which are ASCII, and stands in keys and reports, so nothing has to escape it.
"""

from __future__ import annotations

import re

from meshkit.errors import FieldViolation, InvalidArgument

TENANT = re.compile(r"[a-z0-9-]{1,40}")
RULE = f"must match {TENANT.pattern}"


def is_tenant(text: str) -> bool:
    """Whether text is a tenant."""
    return TENANT.fullmatch(text) is not None


def checked_tenant(text: str, field: str = "tenant") -> str:
    """Return the tenant; raises InvalidArgument TENANT_MISSING or TENANT_INVALID that names ``field``."""
    if is_tenant(text):
        return text
    reason, problem = ("TENANT_INVALID", RULE) if text else ("TENANT_MISSING", "is required")
    raise InvalidArgument(f"the tenant {problem}", reason=reason, metadata={"field": field}, violations=(FieldViolation(field, problem),))
