"""The SPIFFE id is the identity, and only in this trust domain."""

import pytest
from meshkit.errors import Unauthenticated
from meshkit.rpc.peer import identity


def test_identity_is_the_path_of_the_spiffe_id() -> None:
    assert identity({"peer_spiffe_id": [b"spiffe://finmesh.local/risk-scoring"]}) == "risk-scoring"


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"x509_common_name": [b"gateway"]},
        {"x509_subject_alternative_name": [b"spiffe://finmesh.local/gateway"]},
        {"peer_spiffe_id": []},
        {"peer_spiffe_id": [b"spiffe://finmesh.local/"]},
        {"peer_spiffe_id": [b"spiffe://finmesh.local.evil/gateway"]},
        {"peer_spiffe_id": [b"spiffe://finmesh.local/a", b"spiffe://finmesh.local/b"]},
    ],
)
def test_anything_else_is_nobody(context: dict[str, list[bytes]]) -> None:
    with pytest.raises(Unauthenticated):
        identity(context)
