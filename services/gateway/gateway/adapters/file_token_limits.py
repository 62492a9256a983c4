"""Shares of single tenants, scenarios and principals from their file, read again when it changes; a broken one leaves the last good one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meshkit.reload import Reloaded, read_file
from meshkit.strict_yaml import parse_yaml

from gateway.domain.token_limits import LIMITS_INVALID, Row, TokenLimits
from gateway.domain.token_shares import Scope


def file_token_limits(path: Path, everybody: Mapping[Scope, Row]) -> Reloaded[bytes, TokenLimits]:
    """Return the limits of a file and of everybody. Raises FailedPrecondition that names the file."""

    def load(content: bytes) -> TokenLimits:
        return TokenLimits.of(everybody, parse_yaml(content))

    return Reloaded(f"token limits {path}", lambda: read_file(path), load, reason=LIMITS_INVALID)
