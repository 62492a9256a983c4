"""The bearer tokens that core banking, the fraud desk, operations, those who ask documents and those who keep them would get from the
bank's identity provider, and the key set for them.

ES256, valid 12 hours; whoever starts the mesh renews those that have less than half of that left.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.certificates import private_pem, write_private

ISSUER = "https://issuer.finmesh.local"
AUDIENCE = "finmesh"
LIFE = dt.timedelta(hours=12)
_TOKENS: Mapping[str, Mapping[str, object]] = {
    "token.jwt": {},  # core banking
    "editor.jwt": {"sub": "fraud-operations", "roles": ["list-editor", "rule-editor", "audit-reader"]},
    "assistant.jwt": {"sub": "fraud-analyst", "roles": ["assistant-user", "audit-reader"]},
    "desk.jwt": {"sub": "otc-desk", "roles": ["otc-desk"], "purposes": ["otc-sales"]},
    "operator.jwt": {"sub": "operations", "roles": ["operator", "audit-reader"]},
    "reader.jwt": {"sub": "claims-desk", "roles": ["knowledge-reader"], "purposes": ["claims-handling"], "clearance": 3},
    "curator.jwt": {
        "sub": "knowledge-desk",
        "roles": ["knowledge-curator", "knowledge-reader", "audit-reader"],
        "purposes": ["knowledge-management"],
        "clearance": 3,
    },
}


def ensure_token(folder: Path, now: dt.datetime) -> None:
    """Makes issuer.key, jwks.json and the tokens in `folder` where missing, and tokens anew when half their life is over."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = issuer_key(folder)
    (folder / "jwks.json").write_text(json.dumps({"keys": [public_jwk(key)]}, indent=1))
    for name, changes in _TOKENS.items():
        token = folder / name
        if not token.exists() or not _lives(token.read_text(), key, now):
            write_private(token, mint(key, now, **changes).encode())


def issuer_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Signing key of the development issuer, made when missing."""
    path = folder / "issuer.key"
    if not path.exists():
        write_private(path, private_pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} is no elliptic curve key")
    return key


def mint(key: ec.EllipticCurvePrivateKey, now: dt.datetime, **changes: object) -> str:
    """A token of core-banking at bank-a for fraud prevention; `changes` replaces claims, and None leaves one out."""
    claims: dict[str, object] = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "core-banking", "jti": str(uuid.uuid4()), "iat": int(now.timestamp()),
        "exp": int((now + LIFE).timestamp()), "tenant": "bank-a", "purposes": ["fraud-prevention"],
        "roles": ["transaction-scorer", "audit-reader"],
    }  # fmt: skip
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, key, algorithm="ES256", headers={"kid": str(public_jwk(key)["kid"])})


def public_jwk(key: ec.EllipticCurvePrivateKey) -> Mapping[str, Any]:
    """Public half as JWK (RFC 7517), its `kid` the thumbprint of RFC 7638."""
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    parts = {name: value for name, value in algorithm.to_jwk(key.public_key(), as_dict=True).items() if name in {"crv", "kty", "x", "y"}}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).digest()
    thumbprint = jwt.utils.base64url_encode(digest).decode()
    return {**parts, "kid": thumbprint, "alg": "ES256", "use": "sig"}


def _lives(token: str, key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> bool:
    """Signed by `key` and valid for another half life."""
    try:
        claims = jwt.decode(
            token, key.public_key(), algorithms=["ES256"], audience=AUDIENCE, options={"verify_exp": False, "verify_iat": False}
        )
    except jwt.InvalidTokenError:
        return False
    return bool(claims["exp"] - now.timestamp() > LIFE.total_seconds() / 2)
