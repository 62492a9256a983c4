"""A service of one RPC, added to a copy of the repository: `new/` is what it brings, `EDITS` what it changes in the files of others."""

from __future__ import annotations

from pathlib import Path

NEW = Path(__file__).with_name("new")

_CERTIFICATE = """---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: toy}
spec:
  secretName: toy-tls
  duration: 24h
  renewBefore: 8h
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  usages: [digital signature, server auth, client auth]
  uris: [spiffe://finmesh.local/toy]
  dnsNames: [toy]
  issuerRef: {name: finmesh-authority, kind: Issuer}
"""


def _policy(name: str, selected: str, direction: str, peer: str, port: int) -> str:
    end = "from" if direction == "Ingress" else "to"
    return f"""---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}}}
spec:
  podSelector: {{matchLabels: {{app.kubernetes.io/name: {selected}}}}}
  policyTypes: [{direction}]
  {direction.lower()}:
    - {end}: [{{{peer}}}]
      ports: [{{protocol: TCP, port: {port}}}]
"""


_POLICIES = (
    _policy("gateway-to-toy-egress", "gateway", "Egress", "podSelector: {matchLabels: {app.kubernetes.io/name: toy}}", 50091)
    + _policy("gateway-to-toy-ingress", "toy", "Ingress", "podSelector: {matchLabels: {app.kubernetes.io/name: gateway}}", 50091)
    + _policy("monitoring-to-toy", "toy", "Ingress", "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}", 9491)
)

_WRAPPERS = """
// Wraps the owner's message.
message SayHelloRequest {
  // Request to toy.
  finmesh.toy.v1.SayHelloRequest request = 1;
}

// Wraps the owner's message.
message SayHelloResponse {
  // Response of toy.
  finmesh.toy.v1.SayHelloResponse response = 1;
}
"""

_PERMIT = """@id("greet")
permit (principal, action == Action::"SayHello", resource)
when { principal.roles.contains("transaction-scorer") };

"""

# (file, text before which the addition goes, or "" for the end, addition)
EDITS = (
    ("proto/finmesh/gateway/v1/gateway_service.proto", 'import "finmesh/risk/v1/risk_scoring_service.proto";\n',
     'import "finmesh/toy/v1/toy_service.proto";\n'),
    ("proto/finmesh/gateway/v1/gateway_service.proto", "  // Decides one transaction.\n",
     "  // Greets somebody by name.\n  rpc SayHello(SayHelloRequest) returns (SayHelloResponse);\n"),
    ("proto/finmesh/gateway/v1/gateway_service.proto", "",
     _WRAPPERS),
    ("services/gateway/gateway/routes.py", '    Route("ListRecords"',
     '    Route("SayHello", "toy", "finmesh.toy.v1.ToyService", 1.0, "read", scenario="anti-fraud", grade=1, tenant_path=_TENANT),\n'),
    ("services/gateway/gateway/policies/gateway.cedar", '@id("change-lists")',
     _PERMIT),
    ("deploy/services.yaml", "", """  - name: toy
    package: toy
    description: says hello
    callers: [gateway]
    processes:
      - name: toy
        workload: toy
        module: toy
        ports: {grpc: 50091, metrics: 9491}
        uses: []
        called: true
"""),
    ("deploy/services.yaml", ", rag]\n    producers: [gateway/]", ", toy"),
    (".importlinter", "include_external_packages", "    toy\n"),
    (".importlinter", "gateway | risk_scoring | audit", "toy | "),
    ("pyproject.toml", '"services/audit", ', '"services/toy", '),
    ("deploy/k8s/base/gateway.yaml", "            - {name: FINMESH_AUTH__JWKS",
     '            - {name: FINMESH_UPSTREAM__TOY, value: "toy:50091"}\n'),
    ("deploy/k8s/base/kustomization.yaml", "  - triton.yaml\n", "  - toy.yaml\n"),
    ("deploy/k8s/base/network.yaml", "", _POLICIES),
    ("deploy/k8s/components/mtls/certificates.yaml", "", _CERTIFICATE),
)  # fmt: skip
