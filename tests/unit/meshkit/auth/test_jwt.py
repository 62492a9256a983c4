"""Token rules that need a clock or a file in hand; the rest is attacked through the gateway's socket."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from meshkit.auth.jwt import TokenVerifier
from meshkit.clock import FakeClock
from meshkit.errors import FailedPrecondition, Unauthenticated
from meshkit.testing.capture import captured_logs

KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwk(algorithm: str, key: Any, kid: str) -> dict[str, Any]:
    made: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return made | {"kid": kid, "alg": algorithm}


def write(path: Path, *names: str) -> None:
    path.write_text(json.dumps({"keys": [jwk(name, KEYS[name], name) for name in names]}))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    write(tmp_path / "jwks.json", *KEYS)
    return tmp_path / "jwks.json"


def verifier(jwks: Path, clock: FakeClock, **settings: Any) -> TokenVerifier:
    return TokenVerifier(jwks, issuer="i", audience="a", clock=clock, **settings)


def token(clock: FakeClock, algorithm: str = "ES256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(clock.now_s())
    claims = {
        "iss": "i",
        "aud": "a",
        "sub": "s",
        "jti": "t-1",
        "iat": now,
        "exp": now + 600,
        "tenant": "bank-a",
        "roles": ["r"],
        "purposes": [],
    }
    return jwt.encode(claims | changes, KEYS[algorithm], algorithm=algorithm, headers={"kid": algorithm} | (header or {}))


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_allowed_algorithm(jwks: Path, clock: FakeClock, algorithm: str) -> None:
    principal = verifier(jwks, clock).verify(token(clock, algorithm))
    assert (principal.subject, principal.tenant, principal.roles) == ("s", "bank-a", {"r"})


def test_a_remembered_token_expires_all_the_same(jwks: Path, clock: FakeClock) -> None:
    checks = verifier(jwks, clock)
    text = token(clock)
    checks.verify(text)
    clock.advance(605)
    checks.verify(text)  # inside the leeway of 10 s
    clock.advance(6)
    with pytest.raises(Unauthenticated) as caught:
        checks.verify(text)
    assert caught.value.reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize(("shift_s", "reason"), [(-600, "TOKEN_NOT_YET_VALID"), (1200, "TOKEN_EXPIRED")])
def test_a_clock_ten_minutes_off_is_not_forgiven(jwks: Path, clock: FakeClock, shift_s: float, reason: str) -> None:
    text = token(clock)
    clock.advance(shift_s)
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(text)
    assert caught.value.reason == reason


async def test_rotation_takes_new_keys_and_drops_old_ones(jwks: Path, clock: FakeClock) -> None:
    checks = verifier(jwks, clock)
    old = token(clock, "ES256")
    checks.verify(old)
    write(jwks, "EdDSA")
    await checks.reload()
    checks.verify(token(clock, "EdDSA"))
    with pytest.raises(Unauthenticated) as caught:  # although it was remembered
        checks.verify(old)
    assert caught.value.reason == "TOKEN_KEY_UNKNOWN"


def broken_sets() -> dict[str, str]:
    private = jwk("RS256", KEYS["RS256"], "k") | {"d": "AQAB"}
    weak = jwk("RS256", rsa.generate_private_key(65537, 1024), "k")
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"}
    nameless = {key: value for key, value in jwk("ES256", KEYS["ES256"], "k").items() if key != "kid"}
    sets = {"private": [private], "weak": [weak], "secret": [secret], "nameless": [nameless], "empty": []}
    return {"no json": "{", "a list": "[]"} | {name: json.dumps({"keys": keys}) for name, keys in sets.items()}


@pytest.mark.parametrize("name", ["no json", "a list", "private", "weak", "secret", "nameless", "empty"])
async def test_a_broken_key_set_keeps_the_last_good_one(jwks: Path, clock: FakeClock, name: str) -> None:
    checks = verifier(jwks, clock)
    jwks.write_text(broken_sets()[name])
    with pytest.raises(FailedPrecondition):
        await checks.reload()
    assert checks.verify(token(clock)).subject == "s"
    with pytest.raises(FailedPrecondition):
        verifier(jwks, clock)


async def test_a_vanished_key_set_keeps_the_last_good_one(jwks: Path, clock: FakeClock) -> None:
    checks = verifier(jwks, clock)
    jwks.unlink()
    with pytest.raises(FailedPrecondition):
        await checks.reload()
    assert checks.verify(token(clock)).subject == "s"


async def test_a_key_for_another_use_takes_nothing_from_the_others(jwks: Path, clock: FakeClock) -> None:
    keys = json.loads(jwks.read_text())["keys"]
    jwks.write_text(json.dumps({"keys": [jwk("RS256", KEYS["PS256"], "enc") | {"use": "enc", "alg": "RSA-OAEP"}, *keys]}))
    with captured_logs() as logs:
        assert verifier(jwks, clock).verify(token(clock)).subject == "s"
    (line,) = [line for line in logs.lines if line["message"] == "key set loaded"]
    assert (line["keys"], line["skipped"]) == (len(KEYS), "enc: for another use")


async def test_a_repeated_kid_keeps_the_last_good_set(jwks: Path, clock: FakeClock) -> None:
    checks = verifier(jwks, clock)
    keys = json.loads(jwks.read_text())["keys"]
    jwks.write_text(json.dumps({"keys": [*keys, jwk("EdDSA", KEYS["EdDSA"], "ES256")]}))
    with pytest.raises(FailedPrecondition, match="alike"):
        await checks.reload()
    assert checks.verify(token(clock)).subject == "s"


def test_a_token_names_its_key_as_text(jwks: Path, clock: FakeClock) -> None:
    keys = json.loads(jwks.read_text())["keys"]
    jwks.write_text(json.dumps({"keys": [keys[0] | {"kid": "None"}]}))
    header = jwt.utils.base64url_encode(b'{"alg":"ES256","kid":null}').decode()
    _, claims, signature = token(clock).split(".")
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(f"{header}.{claims}.{signature}")
    assert caught.value.reason == "TOKEN_KEY_UNKNOWN"


@pytest.mark.parametrize("named", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"])
def test_types_of_tokens(jwks: Path, clock: FakeClock, named: str) -> None:
    assert verifier(jwks, clock).verify(token(clock, header={"typ": named})).subject == "s"


def test_a_token_without_a_type(jwks: Path, clock: FakeClock) -> None:
    made = token(clock, header={"typ": None})
    assert "typ" not in jwt.get_unverified_header(made)
    assert verifier(jwks, clock).verify(made).subject == "s"


@pytest.mark.parametrize("named", ["", "JWE", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/json", "jwt ", 7, ["JWT"], {}, "令牌"])
def test_other_types_are_refused(jwks: Path, clock: FakeClock, named: Any) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(retyped(clock, named))
    assert caught.value.reason == "TOKEN_TYPE_REFUSED"


def retyped(clock: FakeClock, named: Any) -> str:
    """A well-signed token whose ``typ`` is anything; the library itself writes text alone."""
    header = jwt.utils.base64url_encode(json.dumps({"alg": "ES256", "kid": "ES256", "typ": named}).encode()).decode()
    signed = f"{header}.{token(clock).split('.')[1]}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{signed}.{jwt.utils.base64url_encode(algorithm.sign(signed.encode(), KEYS['ES256'])).decode()}"


THUMBPRINT = "A" * 43


def test_a_thumbprint_of_a_certificate(jwks: Path, clock: FakeClock) -> None:
    assert verifier(jwks, clock).verify(token(clock, cnf={"x5t#S256": THUMBPRINT})).certificate_sha256 == THUMBPRINT


@pytest.mark.parametrize(
    "confirmation",
    [
        None, {}, [], "", "x5t#S256", {"jkt": THUMBPRINT}, {"jwk": {}}, {"kid": "k"}, {"x5t": "abc"}, {"x5t#S256": THUMBPRINT, "jkt": "t"},
        {"x5t#S256": ""}, {"x5t#S256": None}, {"x5t#S256": 5}, {"x5t#S256": THUMBPRINT + "="}, {"x5t#S256": "A" * 42},
        {"X5T#S256": THUMBPRINT},
    ],
)  # fmt: skip
def test_a_confirmation_that_we_cannot_check_is_refused(jwks: Path, clock: FakeClock, confirmation: Any) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(token(clock, cnf=confirmation))
    assert caught.value.reason == "TOKEN_CONFIRMATION_REFUSED"


def test_a_clearance_is_a_grade(jwks: Path, clock: FakeClock) -> None:
    assert verifier(jwks, clock).verify(token(clock)).clearance == 1
    assert [verifier(jwks, clock).verify(token(clock, clearance=grade)).clearance for grade in (1, 2, 3, 4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("stated", [0, 5, -1, True, False, "3", "L3", 3.0, None, [3], {"max": 3}, 10**30])
def test_what_is_no_clearance(jwks: Path, clock: FakeClock, stated: Any) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(token(clock, clearance=stated))
    assert caught.value.reason == "TOKEN_CLEARANCE_INVALID"


@pytest.mark.parametrize("tenant", ["甲银行", "Bank", "bank_a", "bank-a ", "bank-a\n", "x" * 41, "ｂａｎｋ"])
def test_what_is_no_tenant(jwks: Path, clock: FakeClock, tenant: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(token(clock, tenant=tenant))
    assert caught.value.reason == "TOKEN_TENANT_INVALID"


def test_memory_of_tokens_is_bounded(jwks: Path, clock: FakeClock) -> None:
    checks = verifier(jwks, clock, remembered=3)
    for number in range(10):
        checks.verify(token(clock, jti=f"t-{number}"))
    assert len(checks._cache) == 3


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "e30.e30.", "W10.e30.", "é.e.e", "\ud800.a.b", "x" * 9000, "eyJhbGciOjF9.e30.e30"]
)
def test_what_is_no_token(jwks: Path, clock: FakeClock, text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier(jwks, clock).verify(text)
    assert caught.value.reason in ("TOKEN_MALFORMED", "TOKEN_ALGORITHM_REFUSED")
