"""The key set of a token issuer (RFC 7517): which of its keys may check signatures, and why the others may not.

An issuer publishes one set for every use, so a key that is not for us is skipped and reported, as section 5 of the RFC asks. A key that is
named twice is another matter: which of the two counts would be chance, so the whole set is refused. Names of keys and reasons are reported,
never their content.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from meshkit.errors import InvalidDocument
from meshkit.strict_json import parse_json

ALGORITHMS = frozenset({"ES256", "ES384", "PS256", "RS256", "EdDSA"})
"""What PyJWT and cryptography verify well. A key without ``alg`` is for the one of its curve; an RSA key for RS256, never for PS256 too."""

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1"}
_NUMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_SECRET = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_MIN_RSA_BITS = 2048
_NAME_CHARACTERS = 64


class _UnusableError(Exception):
    """Why a key checks no signature, in a word."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Usable keys by id; ``skipped`` tells of each other one its id (or place) and why. ``sha256``: of the file."""

    keys: Mapping[str, jwt.PyJWK]
    skipped: tuple[str, ...]
    sha256: bytes


def parse(content: bytes) -> KeySet:
    """Return the keys of a set. Raises InvalidDocument: no key set, a key id that is repeated, no usable key."""
    document = parse_json(content)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise InvalidDocument("the key set is broken: keys is no list")
    names = Counter(item["kid"] for item in listed if isinstance(item, dict) and isinstance(item.get("kid"), str))
    if names and names.most_common(1)[0][1] > 1:
        raise InvalidDocument("the key set names two keys alike")
    keys: dict[str, jwt.PyJWK] = {}
    skipped = []
    for place, item in enumerate(listed):
        try:
            key = _usable(item)
        except _UnusableError as error:
            skipped.append(f"{_name(item, place)}: {error}")
        else:
            keys[item["kid"]] = key
    if not keys:
        raise InvalidDocument(f"the key set holds no usable key ({'; '.join(skipped[:10]) or 'it is empty'})")
    return KeySet(keys, tuple(skipped), sha256(content).digest())


def _usable(item: Any) -> jwt.PyJWK:
    if not isinstance(item, dict):
        raise _UnusableError("no object")
    if not isinstance(item.get("kid"), str) or not item["kid"]:
        raise _UnusableError("no kid")
    kind = item.get("kty")
    numbers = _NUMBERS.get(kind) if isinstance(kind, str) else None
    if numbers is None:
        raise _UnusableError("its kty is no asymmetric one")
    if _SECRET & item.keys():
        raise _UnusableError("private")
    if item.get("use", "sig") != "sig" or not _may_verify(item.get("key_ops", ["verify"])):
        raise _UnusableError("for another use")
    if "alg" in item and (not isinstance(item["alg"], str) or item["alg"] not in ALGORITHMS):
        raise _UnusableError("for an algorithm that is not allowed")
    if not all(isinstance(item.get(name), str) and _BASE64URL.fullmatch(item[name]) for name in numbers):
        raise _UnusableError("its numbers are no base64url")
    return _built(item)


def _may_verify(operations: Any) -> bool:
    return isinstance(operations, list) and "verify" in operations


def _built(item: dict[str, Any]) -> jwt.PyJWK:
    try:
        key = jwt.PyJWK.from_dict(item)
    except Exception as error:  # whatever the libraries raise over one key, the others count
        raise _UnusableError(f"not accepted ({type(error).__name__})") from None
    if key.algorithm_name not in ALGORITHMS:
        raise _UnusableError("for an algorithm that is not allowed")
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < _MIN_RSA_BITS:
        raise _UnusableError(f"below {_MIN_RSA_BITS} bits")
    if isinstance(key.key, EllipticCurvePublicKey) and key.key.curve.name != _CURVES.get(key.algorithm_name):
        raise _UnusableError("its curve is not that of its algorithm")
    return key


def _name(item: Any, place: int) -> str:
    name = item.get("kid") if isinstance(item, dict) else None
    return name[:_NAME_CHARACTERS] if isinstance(name, str) and name else f"key {place + 1}"
