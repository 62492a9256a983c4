"""Who calls: the SPIFFE URI SAN of the client's certificate. The common name is ignored.

Which workloads may call a service is its configuration. gRPC fills ``peer_spiffe_id`` only for a certificate with exactly one URI SAN
that is a valid SPIFFE id, so a DNS SAN that looks like one does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from cryptography import x509

from meshkit.errors import MeshError, PermissionDenied, Unauthenticated
from meshkit.rpc.chain import UNSCOPED, Call, Scope

TRUST_DOMAIN = "finmesh.local"
_HEALTH = "/grpc.health.v1.Health/"


def identity(auth_context: Mapping[str, Any]) -> str:
    """Return the workload name of a peer (the path of its SPIFFE id). Raises Unauthenticated when there is none."""
    ids: Sequence[bytes] = tuple(auth_context.get("peer_spiffe_id") or ())
    prefix = f"spiffe://{TRUST_DOMAIN}/".encode()
    if len(ids) != 1 or not ids[0].startswith(prefix) or len(ids[0]) == len(prefix):
        raise Unauthenticated("the certificate names no workload of this trust domain", reason="PEER_UNKNOWN")
    return ids[0][len(prefix) :].decode("ascii", "replace")


def uris(certificate: bytes) -> dict[str, list[bytes]]:
    """Return what gRPC says of a certificate (DER), for ``identity``: its SPIFFE id when that is its only URI SAN."""
    try:
        extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return {}
    found = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    return {"peer_spiffe_id": [uri.encode("utf-8") for uri in found]}


Refused = Callable[[Call, MeshError], None]


class Peers:
    """Middleware: lets the named workloads in. Health may be asked by every workload with a certificate.

    ``refused`` is told of whom it keeps out.
    """

    def __init__(self, allowed: Collection[str], refused: Refused | None = None) -> None:
        self._allowed = frozenset(allowed)
        self._refused = refused

    def __call__(self, call: Call) -> Scope:
        """Set ``call.peer`` or raise Unauthenticated / PermissionDenied."""
        try:
            self._admit(call)
        except MeshError as error:
            if self._refused is not None:
                self._refused(call, error)
            raise
        return UNSCOPED

    def _admit(self, call: Call) -> None:
        call.peer = identity(call.context.auth_context())
        if call.peer not in self._allowed and not call.method.startswith(_HEALTH):
            raise PermissionDenied("this workload may not call this service", reason="PEER_NOT_ALLOWED")
