"""Which keys of an issuer's set count: Keycloak's own shape, and every way for a key to be unusable."""

import contextlib
import json
from typing import Any

import hypothesis.strategies as st
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from hypothesis import given
from meshkit.auth.key_set import parse
from meshkit.errors import InvalidDocument

from tests.unit.meshkit.test_strict_json import PLAIN

GOOD = jwt.get_algorithm_by_name("ES256").to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True) | {"kid": "good"}
STRONG = rsa.generate_private_key(65537, 2048)
RSA = jwt.get_algorithm_by_name("RS256").to_jwk(STRONG.public_key(), as_dict=True) | {"kid": "k"}
RSA.pop("key_ops")
EC = {**GOOD, "kid": "k"}


def curve(curve: ec.EllipticCurve, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True)
    return made | {"kid": "k"} | members


def okp(key: Any, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key(), as_dict=True)
    return made | {"kid": "k"} | members


def weak() -> dict[str, Any]:
    made = jwt.get_algorithm_by_name("RS256").to_jwk(rsa.generate_private_key(65537, 2040).public_key(), as_dict=True) | {"kid": "k"}
    del made["key_ops"]
    return dict(made)


UNUSABLE: dict[str, Any] = {
    "for encryption": RSA | {"use": "enc", "alg": "RSA-OAEP"},
    "use alone": RSA | {"use": "enc"},
    "use of no known kind": RSA | {"use": ["sig"]},
    "key_ops without verify": RSA | {"key_ops": ["sign", "encrypt"]},
    "key_ops no list": RSA | {"key_ops": "verify"},
    "no kid": {name: value for name, value in EC.items() if name != "kid"},
    "empty kid": EC | {"kid": ""},
    "kid a number": EC | {"kid": 7},
    "no kty": {name: value for name, value in EC.items() if name != "kty"},
    "unknown kty": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "k"},
    "kty no text": EC | {"kty": ["EC"]},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k", "alg": "HS256"},
    "symmetric under an asymmetric name": {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k", "alg": "RS256"},
    "a secret beside the numbers": EC | {"k": "c2VjcmV0"},
    "private": RSA | {"d": "AQAB"},
    "SHA-1 and SHA-512": RSA | {"alg": "RS512"},
    "algorithm no text": RSA | {"alg": None},
    "algorithm of another kind": RSA | {"alg": "ES256"},
    "curve of another algorithm": curve(ec.SECP384R1(), alg="ES256"),
    "P-521": curve(ec.SECP521R1()),
    "secp256k1": curve(ec.SECP256K1()),
    "unknown curve": EC | {"crv": "P-999"},
    "X25519": okp(ed25519.Ed25519PrivateKey.generate(), crv="X25519", use="sig"),
    "number no base64url": RSA | {"n": "!" + RSA["n"][1:]},
    "number padded": EC | {"x": EC["x"] + "="},
    "number missing": {name: value for name, value in EC.items() if name != "y"},
    "number no text": EC | {"x": 5},
    "number too short": EC | {"x": "AAAA"},
    "point off the curve": EC | {"x": EC["y"], "y": EC["x"]},
    "even exponent": RSA | {"e": "Ag"},
    "below 2048 bits": weak(),
    "no object": "key",
    "null": None,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_key_is_skipped_and_reported(name: str) -> None:
    found = parse(json.dumps({"keys": [UNUSABLE[name], GOOD]}).encode())
    assert set(found.keys) == {"good"}
    (told,) = found.skipped
    assert told.startswith(("k: ", "key 1: "))
    assert RSA["n"][:20] not in told
    with pytest.raises(InvalidDocument, match="no usable key"):
        parse(json.dumps({"keys": [UNUSABLE[name]]}).encode())


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSA, "RS256"),
        (RSA | {"alg": "PS256", "use": "sig", "key_ops": ["verify"]}, "PS256"),
        (RSA | {"alg": "RS256", "x5c": ["MIIC"], "x5t": "abc", "unknown": {}}, "RS256"),
        (EC, "ES256"),
        (curve(ec.SECP384R1()), "ES384"),
        (curve(ec.SECP384R1(), alg="ES384"), "ES384"),
        (okp(ed25519.Ed25519PrivateKey.generate()), "EdDSA"),
        (okp(ed448.Ed448PrivateKey.generate(), alg="EdDSA"), "EdDSA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_usable_key(key: dict[str, Any], algorithm: str) -> None:
    found = parse(json.dumps({"keys": [key]}).encode())
    assert (found.keys["k"].algorithm_name, found.skipped) == (algorithm, ())


def test_a_set_as_keycloak_publishes_it() -> None:
    members = {"x5c": ["MIIC"], "x5t": "t", "x5t#S256": "u"}
    keys = [RSA | {"kid": "enc", "use": "enc", "alg": "RSA-OAEP"} | members, RSA | {"kid": "sig", "use": "sig", "alg": "RS256"} | members]
    found = parse(json.dumps({"keys": keys}).encode())
    assert set(found.keys) == {"sig"}
    assert found.skipped == ("enc: for another use",)


@pytest.mark.parametrize("other", [EC, RSA, RSA | {"use": "enc"}, {"kty": "oct", "kid": "k", "k": "AAAA"}])
def test_a_repeated_kid_refuses_the_set(other: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="two keys alike"):
        parse(json.dumps({"keys": [EC, GOOD, other]}).encode())


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"keys": {}}', '{"keys": null}', "7", "\ufeff", "[" * 100_000, '{"keys": []}'])
def test_no_key_set(content: str) -> None:
    with pytest.raises(InvalidDocument):
        parse(content.encode())


@given(PLAIN | st.fixed_dictionaries({"keys": st.lists(PLAIN | st.just(GOOD) | st.fixed_dictionaries({"kid": PLAIN, "kty": PLAIN}))}))
def test_anything_at_all_raises_nothing_else(document: object) -> None:
    with contextlib.suppress(InvalidDocument):
        assert parse(json.dumps(document).encode()).keys
