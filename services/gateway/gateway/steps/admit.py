"""Admit one call: who is it, may they, are they inside their share, is the key theirs. Knows no transport.

The order matters: nothing of a request is parsed before its token is verified, and nothing is counted before it is allowed. A denied call
learns neither the policy nor whether the tenant exists; that it was denied is recorded. A used-up share is no
denial: nobody lacked a right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from meshkit.audit.denials import Asked, Refusal
from meshkit.auth.jwt import Principal
from meshkit.auth.policy import Question
from meshkit.errors import Conflict, InvalidArgument, MeshError, PermissionDenied, QuotaExceeded, Unauthenticated
from meshkit.tenants import checked_tenant

from gateway import ports
from gateway.domain.call import Admitted, Caller
from gateway.domain.route import Route
from gateway.domain.token_shares import TokenCount


class Unpacked(Protocol):
    """What the use case reads of a request."""

    @property
    def tenant(self) -> str | None:
        """Tenant that the request names; None when its method has no such field."""
        ...

    @property
    def scenario(self) -> str:
        """Scenario that the request names; empty when it does not."""
        ...

    @property
    def grade(self) -> int:
        """Grade of its data that the request states; 0 when it does not."""
        ...

    @property
    def idempotency_key(self) -> str:
        """The caller's key, may be empty."""
        ...

    @property
    def body(self) -> bytes:
        """The owner's request, serialised."""
        ...

    @property
    def tokens(self) -> TokenCount | None:
        """Bound of the tokens that it may use; None when it costs none."""
        ...


class Admit:
    """The way into every RPC, whatever transport it came by."""

    def __init__(
        self,
        tokens: ports.Tokens,
        policy: ports.Policy,
        quotas: ports.Quotas,
        keys: ports.IdempotencyKeys,
        denials: ports.Denials,
        budget_key: Callable[[str, str], bytes],
    ) -> None:
        """``budget_key``: what stands for a principal of a tenant in budgets; asked for where a call costs tokens."""
        self._tokens, self._policy, self._quotas, self._keys, self._denials = tokens, policy, quotas, keys, denials
        self._budget_key = budget_key

    def __call__(self, route: Route, caller: Caller, unpack: Callable[[str], Unpacked]) -> Admission:
        """Return what is entered for one call. ``unpack`` is told the tenant of the token, for a door whose requests name none."""
        return Admission(self, route, caller, unpack)

    def permits(self, route: Route, caller: Caller, scenario: str) -> bool:
        """Whether the policy would let a caller in with data of the lowest grade: for lists of what they may use. Nothing is recorded.

        Raises Unauthenticated, PermissionDenied for a token that is not theirs.
        """
        principal = self.verified(caller)
        _check_holder(principal, caller)
        purpose = _purpose(principal, caller.purpose)
        return self._policy.allows(_question(principal, route, scenario, caller, purpose, tenant=principal.tenant, grade=1))

    def denied(self, error: MeshError, principal: Principal | None, route: Route, scenario: str, caller: Caller) -> None:
        """Record a denial."""
        refusal = Refusal(error.reason, route.method, caller.workload)
        if principal is None:
            self._denials.unverified(refusal)
            return
        purpose = caller.purpose if caller.purpose in principal.purposes else ""
        facts = (caller.request_id, scenario, purpose, self._policy.hash)
        self._denials.verified(refusal, Asked(principal.subject, principal.tenant, *facts))

    async def admitted(self, principal: Principal, route: Route, scenario: str, caller: Caller, request: Unpacked) -> Admitted:
        """Return the call as it goes on. Raises typed errors."""
        tenant = self._tenant(principal, request.tenant, ".".join(route.tenant_path))
        purpose = _purpose(principal, caller.purpose)
        question = _question(principal, route, scenario, caller, purpose, tenant=tenant, grade=route.grade_of(request.grade))
        if not self._policy.allows(question):
            unsaid = "; its grade is not stated and counts as the highest" if route.grade_path and not request.grade else ""
            raise PermissionDenied(f"the policy does not allow it{unsaid}", reason="POLICY_DENIED")
        wait_s = await self._quotas.take(tenant, scenario, route.quota_class)
        if wait_s > 0:
            raise QuotaExceeded("this tenant used up its share", retry_after_s=wait_s, metadata={"quota": route.quota_class})
        if request.idempotency_key:
            digest = hashlib.sha256(request.body).digest()
            if not await self._keys.claim(tenant, route.method, request.idempotency_key, digest):
                raise Conflict("this idempotency key came with another body before")
        policy = self._policy.hash.hex()
        return Admitted(
            request_id=caller.request_id,
            principal=principal.subject,
            tenant=tenant,
            scenario=scenario,
            purpose=purpose,
            policy_hash=policy,
            clearance=principal.clearance,
            body=request.body,
            tokens=request.tokens,
            budget_key=self._budget_key(tenant, principal.subject) if request.tokens is not None else b"",
        )

    def verified(self, caller: Caller) -> Principal:
        """Return whose token it is. Raises Unauthenticated."""
        scheme, _, token = caller.authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is required", reason="TOKEN_MISSING")
        return self._tokens.verify(token)

    def _tenant(self, principal: Principal, named: str | None, field: str) -> str:
        """The token says whose data may be touched; what the request names must agree."""
        if not principal.tenant:
            raise PermissionDenied("the token names no tenant", reason="TENANT_MISSING")
        if named is None:
            return principal.tenant
        if checked_tenant(named, field) != principal.tenant:
            raise PermissionDenied("the token is for another tenant", reason="TENANT_MISMATCH")
        return named


class Admission:
    """One call on its way in: entered, it gives what goes on to the owner. A denial, the owner's inside of it too, is recorded."""

    __slots__ = ("_admit", "_caller", "_principal", "_route", "_scenario", "_unpack")

    def __init__(self, admit: Admit, route: Route, caller: Caller, unpack: Callable[[str], Unpacked]) -> None:
        self._admit, self._route, self._caller, self._unpack = admit, route, caller, unpack
        self._principal: Principal | None = None
        self._scenario = route.scenario

    async def __aenter__(self) -> Admitted:
        """Raises typed errors."""
        try:
            principal = self._principal = self._admit.verified(self._caller)
            _check_holder(principal, self._caller)
            request = self._unpack(principal.tenant)
            self._scenario = self._route.scenario_of(request.scenario)
            return await self._admit.admitted(principal, self._route, self._scenario, self._caller, request)
        except (Unauthenticated, PermissionDenied) as error:
            self._denied(error)
            raise

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (Unauthenticated, PermissionDenied)):
            self._denied(error)

    def _denied(self, error: MeshError) -> None:
        self._admit.denied(error, self._principal, self._route, self._scenario, self._caller)


def _question(principal: Principal, route: Route, scenario: str, caller: Caller, purpose: str, *, tenant: str, grade: int) -> Question:
    return Question(
        subject=principal.subject,
        principal_tenant=principal.tenant,
        roles=principal.roles,
        purposes=principal.purposes,
        workload=caller.workload,
        action=route.method,
        tenant=tenant,
        scenario=scenario,
        purpose=purpose,
        grade=grade,
    )


def _check_holder(principal: Principal, caller: Caller) -> None:
    """Raise unless the token may come from this caller."""
    if principal.certificate_sha256 and principal.certificate_sha256 != caller.certificate_sha256():
        raise Unauthenticated("the token belongs to another certificate", reason="TOKEN_CERTIFICATE_MISMATCH")
    if principal.workloads is not None and caller.workload not in principal.workloads:
        raise PermissionDenied("the token is for other workloads", reason="TOKEN_WORKLOAD_MISMATCH")
    if not _is_header_text(principal.subject):
        raise Unauthenticated("the token was refused", reason="TOKEN_MALFORMED")


def _purpose(principal: Principal, named: str) -> str:
    """Return the purpose that the caller names, else the token's only one. Whether it fits is the policy's matter."""
    if named:
        if not _is_header_text(named):
            raise InvalidArgument("the purpose is no printable ASCII", reason="PURPOSE_INVALID")
        return named[:100]
    only = next(iter(principal.purposes)) if len(principal.purposes) == 1 else ""
    if not _is_header_text(only):
        raise Unauthenticated("the token was refused", reason="TOKEN_MALFORMED")
    return only


def _is_header_text(text: str) -> bool:
    """Whether gRPC carries the text in a header; it fails on any other, which would look like a fault of ours."""
    return text.isascii() and text.isprintable()
