"""Bearer tokens (RFC 7519) checked against a pinned key set file (RFC 7517).

Surprising: the library accepts a token without ``exp`` and knows no longest life, so both are asked for here, and times are compared with
our own clock. Keys come from the file alone: ``jku``, ``x5u``, ``jwk`` and ``x5c`` in a header are refused, as is every ``crit``. A
confirmation (``cnf``) that we can't check is refused, since leaving it out would make a bound token a bearer token. A verified token is
remembered by its hash until it expires or the key set changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jwt

from meshkit.auth.key_set import ALGORITHMS, KeySet, parse
from meshkit.clock import Clock, SystemClock
from meshkit.errors import Unauthenticated
from meshkit.reload import Reloaded, read_file
from meshkit.tenants import is_tenant

KEY_SET_INVALID = "KEY_SET_INVALID"
_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "jti")
_REFUSED_HEADERS = frozenset({"crit", "jku", "x5u", "jwk", "x5c", "b64"})
_TYPES = frozenset({"jwt", "at+jwt"})
_CONFIRMATION = "x5t#S256"  # RFC 8705
HIGHEST_CLEARANCE = 4
"""What a token may state; grade L5 has stores of its own, and nobody reads it by a token."""
_SHA256 = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN_BYTES = 8192
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token speaks for. ``certificate_sha256`` (RFC 8705 ``cnf``) is the one client certificate it may be used with, empty: any.

    ``workloads``: on whose certificate it may come, None: on anybody's. ``clearance``: up to which data grade it may read, 1 to 4.
    """

    subject: str
    tenant: str
    roles: frozenset[str]
    purposes: frozenset[str]
    expires_s: float  # Unix time
    certificate_sha256: str = ""  # base64url without padding
    workloads: frozenset[str] | None = None
    clearance: int = 1


def _refuse(reason: str) -> Unauthenticated:
    return Unauthenticated("the token was refused", reason=reason)


class TokenVerifier:
    """Verifies tokens of one issuer for one audience.

    ``maximum_ttl_s`` bounds exp - iat; ``revoked`` holds token ids that are refused whatever they say. Raises FailedPrecondition when the
    key set cannot be read at start; later ``reload`` keeps the last good one.
    """

    def __init__(
        self,
        jwks: Path,
        *,
        issuer: str,
        audience: str,
        maximum_ttl_s: float = 43_200.0,
        leeway_s: float = 10.0,
        revoked: Collection[str] = (),
        clock: Clock | None = None,
        remembered: int = 4096,
    ) -> None:
        self._key_set = Reloaded(f"key set {jwks}", partial(read_file, jwks), _loaded, reason=KEY_SET_INVALID)
        self._issuer, self._audience = issuer, audience
        self._maximum_ttl_s, self._leeway_s = maximum_ttl_s, leeway_s
        self._revoked = frozenset(revoked)
        self._clock = clock or SystemClock()
        self._remembered = remembered
        self._cache: dict[bytes, Principal] = {}
        self._set = self._key_set.value  # whose tokens are remembered

    @property
    def hash(self) -> bytes:
        """Return the SHA-256 (32 bytes) of the key set in force."""
        return self._key_set.value.sha256

    async def reload(self) -> None:
        """Take the file's keys if it changed. Raises FailedPrecondition while it is broken; the last good keys stay."""
        await self._key_set.reload()

    def verify(self, token: str) -> Principal:
        """Return the principal of a compact JWS. Raises Unauthenticated with reason TOKEN_*; the message says nothing about the token."""
        if len(token) > _TOKEN_BYTES:
            raise _refuse("TOKEN_MALFORMED")
        if self._set is not self._key_set.value:
            self._set = self._key_set.value
            self._cache.clear()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._cache.get(digest)
        now_s = self._clock.now_s()
        if known is not None:
            if now_s > known.expires_s + self._leeway_s:
                raise _refuse("TOKEN_EXPIRED")
            return known
        principal = self._check(token, digest, now_s)
        if len(self._cache) >= self._remembered:
            self._cache.pop(next(iter(self._cache)))
        self._cache[digest] = principal
        return principal

    def _check(self, token: str, digest: bytes, now_s: float) -> Principal:
        claims = self._signed_claims(token)
        self._check_times(claims, now_s)
        subject, token_id = claims["sub"], claims["jti"]
        if not isinstance(token_id, str) or not token_id or not isinstance(subject, str) or not subject:
            raise _refuse("TOKEN_MALFORMED")
        if token_id in self._revoked:
            raise _refuse("TOKEN_REVOKED")
        return Principal(
            subject=subject,
            tenant=_tenant(claims),
            roles=_texts(claims, "roles"),
            purposes=_texts(claims, "purposes"),
            expires_s=float(claims["exp"]),
            certificate_sha256=_confirmation(claims),
            workloads=_texts(claims, "workloads") if "workloads" in claims else None,
            clearance=_clearance(claims),
        )

    def _signed_claims(self, token: str) -> dict[str, Any]:
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise _refuse("TOKEN_ALGORITHM_REFUSED")
        if _REFUSED_HEADERS & header.keys():
            raise _refuse("TOKEN_HEADER_REFUSED")
        if not _is_known_type(header):
            raise _refuse("TOKEN_TYPE_REFUSED")
        name = header.get("kid")
        key = self._set.keys.get(name) if isinstance(name, str) else None
        if key is None or key.algorithm_name != algorithm:
            raise _refuse("TOKEN_KEY_UNKNOWN")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.MissingRequiredClaimError:
            raise _refuse("TOKEN_CLAIM_MISSING") from None
        except jwt.InvalidAudienceError:
            raise _refuse("TOKEN_AUDIENCE_WRONG") from None
        except jwt.InvalidIssuerError:
            raise _refuse("TOKEN_ISSUER_WRONG") from None
        except jwt.InvalidSignatureError:
            raise _refuse("TOKEN_SIGNATURE_WRONG") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _refuse("TOKEN_MALFORMED") from None
        return claims

    def _check_times(self, claims: dict[str, Any], now_s: float) -> None:
        times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
        if any(isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12 for value in times.values()):
            raise _refuse("TOKEN_MALFORMED")
        if now_s > times["exp"] + self._leeway_s:
            raise _refuse("TOKEN_EXPIRED")
        if max(times["iat"], times.get("nbf", times["iat"])) > now_s + self._leeway_s:
            raise _refuse("TOKEN_NOT_YET_VALID")
        if not 0 < times["exp"] - times["iat"] <= self._maximum_ttl_s:
            raise _refuse("TOKEN_LIFE_TOO_LONG")


def _header(token: str) -> dict[str, Any]:
    """Return the header as it stands; the library's own reader would answer for some of what is refused here."""
    try:
        header = json.loads(jwt.utils.base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError):
        raise _refuse("TOKEN_MALFORMED") from None
    if not isinstance(header, dict) or not isinstance(header.get("alg", ""), str):
        raise _refuse("TOKEN_MALFORMED")
    return header


def _is_known_type(header: dict[str, Any]) -> bool:
    """Whether ``typ`` is absent or a media type of tokens (RFC 7515 section 4.1.9: any case, ``application/`` may be left out)."""
    if "typ" not in header:
        return True
    named = header["typ"]
    return isinstance(named, str) and named.lower().removeprefix("application/") in _TYPES


def _tenant(claims: dict[str, Any]) -> str:
    value = claims.get("tenant", "")
    if not isinstance(value, str):
        raise _refuse("TOKEN_MALFORMED")
    if value and not is_tenant(value):
        raise _refuse("TOKEN_TENANT_INVALID")
    return value


def _confirmation(claims: dict[str, Any]) -> str:
    """Return the thumbprint of the one certificate, empty without ``cnf``; what else ``cnf`` may hold is refused."""
    if "cnf" not in claims:
        return ""
    stated = claims["cnf"]
    if not isinstance(stated, dict) or stated.keys() != {_CONFIRMATION}:
        raise _refuse("TOKEN_CONFIRMATION_REFUSED")
    thumbprint = stated[_CONFIRMATION]
    if not isinstance(thumbprint, str) or not _SHA256.fullmatch(thumbprint):
        raise _refuse("TOKEN_CONFIRMATION_REFUSED")
    return thumbprint


def _clearance(claims: dict[str, Any]) -> int:
    """Return the claim, the lowest where there is none. Anything that is no whole number in bounds is refused, never lowered."""
    value = claims.get("clearance", 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= HIGHEST_CLEARANCE:
        raise _refuse("TOKEN_CLEARANCE_INVALID")
    return value


def _texts(claims: dict[str, Any], name: str) -> frozenset[str]:
    values = claims.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or len(values) > 100:
        raise _refuse("TOKEN_MALFORMED")
    return frozenset(values)


def _loaded(content: bytes) -> KeySet:
    found = parse(content)
    level = logging.WARNING if found.skipped else logging.INFO
    _logger.log(level, "key set loaded", extra={"facts": {"keys": len(found.keys), "skipped": "; ".join(found.skipped[:20])}})
    return found
