"""What every subcommand shares: where the gateway is, who we are, in which language we answer."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import jwt
import typer
from meshkit.tenants import RULE, is_tenant

from finmesh_cli import files
from finmesh_cli.failures import UsageError

_MAX_TOKEN_BYTES = 64 * 1024
USUAL_PURPOSE = "fraud-prevention"
HEADER = re.compile(r"[!-~]+")
_ENDPOINT = re.compile(r"[!-~]+:(?P<port>[0-9]{1,5})")


class Language(StrEnum):
    """Language of the answers."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class Settings:
    """Options before the subcommand. ``certs`` holds authority.pem, client.pem and client.key.

    ``any_desk``: no token was named, so that each subcommand takes the one of those who use it.
    """

    gateway: str
    certs: Path
    token: Path
    named_tenant: str
    purpose: str
    timeout_s: float
    language: Language
    any_desk: bool = False

    def at_desk(self, token: str, purpose: str = "") -> Settings:
        """Return the settings with that token of the development mesh, and its purpose, unless others were named."""
        if not self.any_desk:
            return self
        usual = purpose if purpose and self.purpose == USUAL_PURPOSE else self.purpose
        return replace(self, token=self.certs / token, purpose=usual, any_desk=False)

    def bearer(self) -> str:
        """Return the token's text. Raises UsageError when it cannot be read."""
        try:
            token = files.text(self.token, _MAX_TOKEN_BYTES).strip()
        except UsageError as error:
            raise UsageError(f"{error} (the token: make certs, or --token)") from None
        if not HEADER.fullmatch(token):
            raise UsageError(f"{self.token} is no token")
        return token

    def tenant(self) -> str:
        """Return the tenant to ask for: the named one, else the token's. The gateway checks the token, we only read it."""
        if self.named_tenant:
            return usable_tenant(self.named_tenant, "--tenant")
        stated = self._claim("tenant")
        if not stated:
            raise UsageError("the token names no tenant: --tenant")
        return usable_tenant(stated, "the token's tenant")

    def subject(self) -> str:
        """Return whom the token speaks for: the author of what is changed with it."""
        stated = self._claim("sub")
        if not stated:
            raise UsageError(f"{self.token} names no subject")
        return stated

    def _claim(self, name: str) -> str:
        try:
            return str(jwt.decode(self.bearer(), options={"verify_signature": False}).get(name) or "")
        except jwt.InvalidTokenError as error:
            raise UsageError(f"{self.token} is no token: {error}") from None


def usable_tenant(text: str, where: str) -> str:
    """Return the tenant. Raises UsageError that says where the wrong one stands."""
    if not is_tenant(text):
        raise UsageError(f"{where} {RULE}")
    return text


def endpoints(option: str, text: str) -> str:
    """Return ``host:port[,host:port]`` (with gRPC's scheme before it, or not). Raises UsageError: libraries wrap a port of 99999 around."""
    for each in text.split(","):
        found = _ENDPOINT.fullmatch(each)
        if found is None or not 0 < int(found["port"]) < 65_536:
            raise UsageError(f"{option} {text[:100]}: host:port is needed")
    return text


def of(context: typer.Context) -> Settings:
    """Return the settings that the callback made."""
    found = context.find_object(Settings)
    assert found is not None
    return found


def default_certs() -> Path:
    """Return the launcher's folder of certificates."""
    return Path(os.environ.get("FINMESH_VAR", "var")) / "certs"


def default_language() -> Language:
    """Return Chinese where the terminal speaks it, else English."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return Language.ZH if spoken.startswith("zh") else Language.EN
