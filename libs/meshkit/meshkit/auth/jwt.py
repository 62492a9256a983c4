"""Bearer tokens (RFC 7519) checked against a pinned key set file (RFC 7517).

Surprising: the library accepts a token without ``exp`` and knows no longest life, so both are asked for here, and times are compared with
our own clock. Keys come from the file alone: ``jku``, ``x5u``, ``jwk`` and ``x5c`` in a header are refused, as is every ``crit``. A
verified token is remembered by its hash until it expires or the key set changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from meshkit.clock import Clock, SystemClock
from meshkit.errors import Unauthenticated

ALGORITHMS = frozenset({"ES256", "RS256", "EdDSA"})
_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "jti")
_REFUSED_HEADERS = frozenset({"crit", "jku", "x5u", "jwk", "x5c", "b64"})
_TOKEN_BYTES = 8192
_LEAST_RSA_BITS = 2048
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token speaks for. ``certificate_sha256`` (RFC 8705 ``cnf``) is the one client certificate it may be used with, empty: any."""

    subject: str
    tenant: str
    roles: frozenset[str]
    purposes: frozenset[str]
    token_id: str
    token_hash: bytes  # SHA-256 of the token, 32 bytes
    expires_s: float  # Unix time
    certificate_sha256: str = ""  # base64url without padding


def _refuse(reason: str) -> Unauthenticated:
    return Unauthenticated("the token was refused", reason=reason)


class TokenVerifier:
    """Verifies tokens of one issuer for one audience.

    ``maximum_ttl_s`` bounds exp - iat; ``revoked`` holds token ids that are refused whatever they say. Raises ValueError or OSError when
    the key set cannot be read at start; later ``reload`` keeps the last good one.
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
        self._path = jwks
        self._issuer, self._audience = issuer, audience
        self._maximum_ttl_s, self._leeway_s = maximum_ttl_s, leeway_s
        self._revoked = frozenset(revoked)
        self._clock = clock or SystemClock()
        self._remembered = remembered
        self._cache: dict[bytes, Principal] = {}
        self._content = jwks.read_bytes()
        self._keys = _parse(self._content)

    async def reload(self) -> None:
        """Take the file's keys if it changed. Raises ValueError or OSError when it is broken; the last good keys stay."""
        content = self._path.read_bytes()
        if content == self._content:
            return
        self._keys = _parse(content)
        self._content = content
        self._cache.clear()
        _logger.info("key set reloaded", extra={"facts": {"keys": len(self._keys)}})

    def verify(self, token: str) -> Principal:
        """Return the principal of a compact JWS. Raises Unauthenticated with reason TOKEN_*; the message says nothing about the token."""
        if len(token) > _TOKEN_BYTES:
            raise _refuse("TOKEN_MALFORMED")
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
        confirmation = claims.get("cnf") or {}
        if not isinstance(confirmation, dict):
            raise _refuse("TOKEN_MALFORMED")
        return Principal(
            subject=subject,
            tenant=_text(claims, "tenant"),
            roles=_texts(claims, "roles"),
            purposes=_texts(claims, "purposes"),
            token_id=token_id,
            token_hash=digest,
            expires_s=float(claims["exp"]),
            certificate_sha256=str(confirmation.get("x5t#S256", "")),
        )

    def _signed_claims(self, token: str) -> dict[str, Any]:
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise _refuse("TOKEN_ALGORITHM_REFUSED")
        if _REFUSED_HEADERS & header.keys():
            raise _refuse("TOKEN_HEADER_REFUSED")
        key = self._keys.get(str(header.get("kid", "")))
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


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise _refuse("TOKEN_MALFORMED")
    return value


def _texts(claims: dict[str, Any], name: str) -> frozenset[str]:
    values = claims.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or len(values) > 100:
        raise _refuse("TOKEN_MALFORMED")
    return frozenset(values)


def _parse(content: bytes) -> dict[str, jwt.PyJWK]:
    """Return key by id. Raises ValueError: no JSON, no key, a key without id, a secret key, a weak one, an algorithm not allowed."""
    try:
        listed = json.loads(content)["keys"]
        keys = {str(item["kid"]): jwt.PyJWK.from_dict(item) for item in listed}
        lengths = [getattr(key.key, "key_size", _LEAST_RSA_BITS) for key in keys.values() if key.algorithm_name == "RS256"]
    except (KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ValueError(f"the key set is broken: {type(error).__name__}") from None
    wrong = {key.algorithm_name for key in keys.values()} - ALGORITHMS
    if not keys or wrong or any("d" in item for item in listed) or any(bits < _LEAST_RSA_BITS for bits in lengths):
        raise ValueError("the key set holds no key, a private one, a weak one, or one of an algorithm that is not allowed")
    return keys
