"""Who comes in: certificates, tokens, tenants, policies, quotas, idempotency keys."""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from finmesh.gateway.v1 import gateway_service_pb2 as pb
from gateway.routes import ROUTES
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from meshkit import errors
from meshkit.config import TlsSettings
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.server import MeshServer
from meshkit.testing.capture import captured_logs
from meshkit.testing.serving import serving
from provisioning import certificates, tokens
from redis.asyncio import Redis

from tests.component.gateway.conftest import Door, OpenDoor, tls
from tests.component.gateway.test_forwarding import score
from tests.stack import PrivateRedis

SCORE = "/finmesh.gateway.v1.GatewayService/ScoreTransaction"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "sub": "core-banking", "jti": str(uuid.uuid4()), "iat": now, "exp": now + 600}
    return base | {"tenant": "bank-a", "purposes": ["fraud-prevention"], "roles": ["transaction-scorer"]} | changes


def kid(certs: Path) -> str:
    return str(tokens.public_jwk(tokens.issuer_key(certs))["kid"])


def signed(certs: Path, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), tokens.issuer_key(certs), algorithm="ES256", headers={"kid": kid(certs), **(headers or {})})


async def reason(door: Door, token: str) -> str:
    error = await door.failure(door.stub.ScoreTransaction, score(), (("authorization", f"Bearer {token}"),))
    assert isinstance(error, errors.Unauthenticated)
    assert door.risk.requests == []
    return error.reason


async def test_no_token_no_service(door: Door) -> None:
    for metadata in ((), (("authorization", "Basic Y29yZTpiYW5r"),), (("authorization", "Bearer "),)):
        error = await door.failure(door.stub.ScoreTransaction, score(), metadata)
        assert (type(error), error.reason) == (errors.Unauthenticated, "TOKEN_MISSING")


async def test_algorithm_none(door: Door) -> None:
    assert await reason(door, f"{part({'alg': 'none', 'kid': kid(door.certs)})}.{part(claims())}.") == "TOKEN_ALGORITHM_REFUSED"


async def test_hmac_with_the_public_key_as_secret(door: Door) -> None:
    public = tokens.issuer_key(door.certs).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = f"{part({'alg': 'HS256', 'kid': kid(door.certs)})}.{part(claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, text.encode(), "sha256")).rstrip(b"=").decode()
    assert await reason(door, f"{text}.{mac}") == "TOKEN_ALGORITHM_REFUSED"


async def test_an_allowed_algorithm_that_is_not_the_keys(door: Door) -> None:
    other = rsa.generate_private_key(65537, 2048)
    token = jwt.encode(claims(), other, algorithm="RS256", headers={"kid": kid(door.certs)})
    assert await reason(door, token) == "TOKEN_KEY_UNKNOWN"


async def test_a_signature_of_another_key(door: Door) -> None:
    token = jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": kid(door.certs)})
    assert await reason(door, token) == "TOKEN_SIGNATURE_WRONG"


@pytest.mark.parametrize("name", ["exp", "iat", "jti", "sub", "iss", "aud"])
async def test_a_missing_claim(door: Door, name: str) -> None:
    left = {key: value for key, value in claims().items() if key != name}
    token = jwt.encode(left, tokens.issuer_key(door.certs), algorithm="ES256", headers={"kid": kid(door.certs)})
    assert await reason(door, token) == "TOKEN_CLAIM_MISSING"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": "another"}, "TOKEN_AUDIENCE_WRONG"),
        ({"iss": "https://elsewhere"}, "TOKEN_ISSUER_WRONG"),
        ({"iat": 1_000, "exp": 2_000}, "TOKEN_EXPIRED"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_600}, "TOKEN_NOT_YET_VALID"),
        ({"nbf": 4_000_000_000}, "TOKEN_NOT_YET_VALID"),
        ({"exp": 4_000_000_000}, "TOKEN_LIFE_TOO_LONG"),
        ({"exp": "soon"}, "TOKEN_MALFORMED"),
        ({"roles": "root"}, "TOKEN_MALFORMED"),
        ({"clearance": "4"}, "TOKEN_CLEARANCE_INVALID"),
        ({"sub": "core\r\nx-finmesh-tenant: bank-b"}, "TOKEN_MALFORMED"),
    ],
)
async def test_wrong_claims(door: Door, changes: dict[str, Any], expected: str) -> None:
    assert await reason(door, signed(door.certs, **changes)) == expected


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"jku": "https://evil/jwks"}, {"x5u": "https://evil/x"}, {"jwk": {}}])
async def test_headers_that_steer_verification(door: Door, header: dict[str, Any]) -> None:
    assert await reason(door, signed(door.certs, header)) == "TOKEN_HEADER_REFUSED"


async def test_a_revoked_token(open_door: OpenDoor) -> None:
    async with open_door(auth={"revoked": ["stolen"]}) as door:
        assert await reason(door, signed(door.certs, jti="stolen")) == "TOKEN_REVOKED"


async def test_a_token_bound_to_a_certificate_works_with_that_one_only(door: Door) -> None:
    pem = x509.load_pem_x509_certificate((door.certs / "client.pem").read_bytes())
    own = base64.urlsafe_b64encode(pem.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    await door.stub.ScoreTransaction(score(), metadata=(("authorization", f"Bearer {signed(door.certs, cnf={'x5t#S256': own})}"),))
    door.risk.requests.clear()
    other = base64.urlsafe_b64encode(hashlib.sha256(b"other").digest()).rstrip(b"=").decode()
    assert await reason(door, signed(door.certs, cnf={"x5t#S256": other})) == "TOKEN_CERTIFICATE_MISMATCH"


async def test_a_tenant_of_another_bank(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(tenant="bank-b"))
    assert (type(error), error.reason) == (errors.PermissionDenied, "TENANT_MISMATCH")
    error = await door.failure(door.stub.ScoreTransaction, score(), door.token(tenant=None))
    assert (type(error), error.reason) == (errors.PermissionDenied, "TENANT_MISSING")


async def test_what_is_no_tenant_is_never_a_fault_of_ours(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(tenant="甲银行"), door.token(tenant="甲银行"))
    assert (type(error), error.reason) == (errors.Unauthenticated, "TOKEN_TENANT_INVALID")
    error = await door.failure(door.stub.ScoreTransaction, score(tenant="甲银行"))
    assert (type(error), error.reason) == (errors.InvalidArgument, "TENANT_INVALID")
    assert [violation.field for violation in error.violations] == ["request.transaction.tenant"]
    error = await door.failure(door.stub.ScoreTransaction, score(tenant=""))
    assert (type(error), error.reason) == (errors.InvalidArgument, "TENANT_MISSING")
    assert door.risk.requests == []


async def test_a_purpose_that_no_header_can_carry(door: Door) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(), door.token(purposes=["反欺诈"]))
    assert (type(error), error.reason) == (errors.Unauthenticated, "TOKEN_MALFORMED")
    metadata = (*door.token(purposes=["反欺诈", "fraud-prevention"]), ("x-finmesh-purpose", "fraud-prevention"))
    await door.stub.ScoreTransaction(score(), metadata=metadata)


@pytest.mark.parametrize(
    "changes", [{"roles": []}, {"roles": ["audit-reader"]}, {"purposes": []}, {"purposes": ["marketing"]}, {"purposes": ["a", "b"]}]
)
async def test_what_no_policy_permits_is_denied(door: Door, changes: dict[str, Any]) -> None:
    error = await door.failure(door.stub.ScoreTransaction, score(), door.token(**changes))
    assert (type(error), error.reason) == (errors.PermissionDenied, "POLICY_DENIED")
    assert door.risk.requests == []


async def test_a_purpose_that_the_token_was_not_given_for(door: Door) -> None:
    metadata = (*door.token(), ("x-finmesh-purpose", "marketing"))
    error = await door.failure(door.stub.ScoreTransaction, score(), metadata)
    assert error.reason == "POLICY_DENIED"
    metadata = (*door.token(purposes=["marketing", "fraud-prevention"]), ("x-finmesh-purpose", "fraud-prevention"))
    await door.stub.ScoreTransaction(score(), metadata=metadata)
    assert door.risk.facts[-1].purpose == "fraud-prevention"


async def test_the_clearance_of_the_token_goes_on_and_a_callers_own_header_does_not(door: Door) -> None:
    for metadata in (door.token(clearance=3), door.token(), (*door.token(), ("x-finmesh-clearance", "4"))):
        await door.stub.ScoreTransaction(score(), metadata=metadata)
    assert [facts.clearance for facts in door.risk.facts] == [3, 1, 1]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
async def test_every_method_denies_a_token_without_roles(door: Door, route: Any) -> None:
    request = getattr(pb, f"{route.method}Request")()
    request.request.SetInParent()
    field: Any = request
    for name in route.tenant_path[:-1]:
        field = getattr(field, name)
    if route.tenant_path:
        setattr(field, route.tenant_path[-1], "bank-a")
    error = await door.failure(getattr(door.stub, route.method), request, door.token(roles=[]))
    assert error.reason == "POLICY_DENIED"


async def health(door: Door, component: str, state: int) -> None:
    """Return when health says so."""
    stub: Any = health_pb2_grpc.HealthStub(door.channel)
    async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=component)):
        if answer.status == state:
            return


async def test_a_broken_policy_at_reload_keeps_the_last_good_one_and_alarms(door: Door) -> None:
    file = door.policies / "gateway.cedar"
    good = file.read_text()
    await health(door, "policy", health_pb2.HealthCheckResponse.SERVING)
    file.write_text('permit (principal, action == Action::"NoSuchAction", resource);')
    with captured_logs() as logs:
        await health(door, "policy", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert any(line.get("component") == "policy" and line["level"] == "warning" for line in logs.lines)
    await door.stub.ScoreTransaction(score(), metadata=door.token())
    file.write_text(good)
    await health(door, "policy", health_pb2.HealthCheckResponse.SERVING)


async def test_a_changed_policy_takes_effect_and_changes_the_hash(door: Door) -> None:
    await door.stub.ScoreTransaction(score(), metadata=door.token())
    with captured_logs() as logs:
        (door.policies / "closed.cedar").write_text('forbid (principal, action == Action::"ScoreTransaction", resource);\n')
        async with asyncio.timeout(10):
            while not any(line["message"] == "reloaded" for line in logs.lines):
                await door.channel.unary_unary("/grpc.health.v1.Health/Check")(b"")  # the loop reads files between calls
    error = await door.failure(door.stub.ScoreTransaction, score())
    assert error.reason == "POLICY_DENIED"
    request = pb.GetDecisionRequest()
    request.request.tenant = "bank-a"
    await door.stub.GetDecision(request, metadata=door.token())
    assert door.risk.facts[0].policy_hash != door.risk.facts[1].policy_hash


async def test_a_certificate_of_a_service_that_may_not_call(door: Door) -> None:
    async with MeshChannel(door.address, tls(door.certs, "stranger"), server_name="gateway") as channel:
        with pytest.raises(errors.PermissionDenied) as caught:
            await channel.unary_unary(SCORE)(score().SerializeToString(), metadata=door.token())
    assert caught.value.reason == "PEER_NOT_ALLOWED"


def leaf(folder: Path, certs: Path, *, sans: list[x509.GeneralName], start: dt.datetime, end: dt.datetime) -> TlsSettings:
    """A client certificate of the real authority with the given names and life."""
    authority = certificates.read(certs, "authority")
    assert authority is not None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(authority.certificate.subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    certificates.write(folder, "leaf", certificates.Pair(builder.sign(authority.key, hashes.SHA256()), key))
    return TlsSettings(certificate=folder / "leaf.pem", key=folder / "leaf.key", authority=certs / "authority.pem")


@pytest.mark.parametrize(
    "sans",
    [
        [],
        [x509.DNSName("client")],
        [x509.UniformResourceIdentifier("spiffe://elsewhere.org/client")],
        [x509.UniformResourceIdentifier("spiffe://finmesh.local/client"), x509.UniformResourceIdentifier("spiffe://finmesh.local/gateway")],
    ],
    ids=["common name only", "DNS name only", "another trust domain", "two identities"],
)
async def test_a_certificate_that_is_no_workload_identity(door: Door, tmp_path: Path, sans: list[x509.GeneralName]) -> None:
    now = dt.datetime.now(dt.UTC)
    settings = leaf(tmp_path, door.certs, sans=sans, start=now - dt.timedelta(minutes=1), end=now + dt.timedelta(hours=1))
    async with MeshChannel(door.address, settings, server_name="gateway") as channel:
        with pytest.raises(errors.Unauthenticated) as caught:
            await channel.unary_unary(SCORE)(score().SerializeToString(), metadata=door.token())
    assert caught.value.reason == "PEER_UNKNOWN"


async def test_an_expired_certificate_gets_no_connection(door: Door, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    name = x509.UniformResourceIdentifier("spiffe://finmesh.local/client")
    settings = leaf(tmp_path, door.certs, sans=[name], start=now - dt.timedelta(days=2), end=now - dt.timedelta(days=1))
    async with MeshChannel(door.address, settings, server_name="gateway") as channel:
        with pytest.raises(errors.Unavailable):
            await channel.unary_unary(SCORE)(score().SerializeToString(), metadata=door.token(), timeout=2.0)
    assert door.risk.requests == []


async def test_no_certificate_gets_no_connection(door: Door) -> None:
    credentials = grpc.ssl_channel_credentials((door.certs / "authority.pem").read_bytes())
    async with aio.secure_channel(door.address, credentials, (("grpc.ssl_target_name_override", "gateway"),)) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary(SCORE)(score().SerializeToString(), metadata=door.token(), timeout=2.0)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_gateway_does_not_talk_to_another_services_certificate(open_door: OpenDoor, certs: Path) -> None:
    impostor = MeshServer("127.0.0.1:0", tls(certs, "audit"), callers={"gateway"})
    async with serving(impostor), open_door(upstream=impostor.address) as door:
        error = await door.failure(door.stub.ScoreTransaction, score())
        assert isinstance(error, errors.Unavailable)


async def test_a_quota_is_kept_per_tenant_without_redis(open_door: OpenDoor) -> None:
    async with open_door(quota={"decide_per_s": 0.01, "decide_burst": 3}) as door:
        for _ in range(3):
            await door.stub.ScoreTransaction(score(), metadata=door.token())
        error = await door.failure(door.stub.ScoreTransaction, score())
        assert isinstance(error, errors.QuotaExceeded)
        assert error.retry_after_s is not None
        assert 90 < error.retry_after_s <= 100
        await door.stub.ScoreTransaction(score(tenant="bank-b"), metadata=door.token(tenant="bank-b"))


async def test_two_gateways_share_one_quota_in_redis(open_door: OpenDoor, private_redis: PrivateRedis, tmp_path: Path) -> None:
    quota = {"decide_per_s": 0.01, "decide_burst": 4}
    async with open_door(redis_url=private_redis.url, quota=quota) as door:
        for _ in range(4):
            await door.stub.ScoreTransaction(score(), metadata=door.token())
    (tmp_path / "policies").rename(tmp_path / "policies-before")
    async with open_door(redis_url=private_redis.url, quota=quota) as second:
        error = await second.failure(second.stub.ScoreTransaction, score())
        assert isinstance(error, errors.QuotaExceeded)


async def test_an_idempotency_key_with_another_body_is_a_conflict(open_door: OpenDoor, private_redis: PrivateRedis, tmp_path: Path) -> None:
    async with open_door(redis_url=private_redis.url) as door:
        await door.stub.ScoreTransaction(score(key="k"), metadata=door.token())
        await door.stub.ScoreTransaction(score(key="k"), metadata=door.token())
        await door.stub.ScoreTransaction(score(key="k", tenant="bank-b", customer="c-2"), metadata=door.token(tenant="bank-b"))
    (tmp_path / "policies").rename(tmp_path / "policies-before")
    async with open_door(redis_url=private_redis.url) as second:  # another process knows it too
        error = await second.failure(second.stub.ScoreTransaction, score(key="k", customer="c-2"))
        assert (type(error), error.reason) == (errors.Conflict, "IDEMPOTENCY_CONFLICT")
        await second.stub.ScoreTransaction(score(key="k"), metadata=second.token())


async def test_redis_holds_no_hash_of_a_body_that_can_be_guessed(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    body = score(key="k").request.SerializeToString()
    async with open_door(redis_url=private_redis.url) as door:
        await door.stub.ScoreTransaction(score(key="k"), metadata=door.token())
        async with Redis.from_url(private_redis.url) as redis:
            (name,) = [key async for key in redis.scan_iter("finmesh:gateway:key:*")]
            stored = await redis.get(name)
            assert stored not in {hashlib.new(algorithm, body).digest() for algorithm in ("sha256", "blake2s", "sha3_256")}
            await redis.set(name, hashlib.sha256(body).digest())  # as an earlier release stored it
        await door.stub.ScoreTransaction(score(key="k"), metadata=door.token())


async def test_without_redis_the_process_still_knows_its_own_keys(door: Door) -> None:
    await door.stub.ScoreTransaction(score(key="k"), metadata=door.token())
    error = await door.failure(door.stub.ScoreTransaction, score(key="k", customer="c-2"))
    assert error.reason == "IDEMPOTENCY_CONFLICT"


async def test_redis_that_dies_costs_no_call(open_door: OpenDoor, private_redis: PrivateRedis) -> None:
    async with open_door(redis_url=private_redis.url) as door:
        await door.stub.ScoreTransaction(score(key="before"), metadata=door.token())
        private_redis.kill()
        for number in range(5):
            await door.stub.ScoreTransaction(score(key=f"after-{number}"), metadata=door.token())
        error = await door.failure(door.stub.ScoreTransaction, score(key="before", customer="c-2"))
        assert error.reason == "IDEMPOTENCY_CONFLICT"
