"""`python docs/generate` writes every generated page; with `--check` it writes nothing and fails when one is stale.

Among them two files that code reads because it may not import where their content belongs (the texts of risk-scoring's reason codes, for
the command line, and the names of every service's settings, for the kit and the launcher), and Grafana's dashboards.
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Exit status 1 when --check found a page that differs from what the code says."""
    from generate import asyncapi, configuration, dashboards, known_settings, openapi, policy_schema, reasons, services

    monitoring = DOCS.parent / "deploy/k8s/components/monitoring/dashboards"
    pages = {
        monitoring / "serving.json": dashboards.page("finmesh-serving", "finmesh serving", dashboards.SERVING),
        monitoring / "pool.json": dashboards.page("finmesh-pool", "finmesh pool", dashboards.POOL),
        DOCS / "configuration.md": configuration.page(),
        DOCS / "services.md": services.page(),
        DOCS / "asyncapi.yaml": asyncapi.page(),
        DOCS / "openapi.yaml": openapi.page(),
        DOCS.parent / "cli/finmesh_cli/reasons.json": reasons.page(),
        DOCS.parent / "libs/meshkit/meshkit/known_settings.json": known_settings.page(),
        DOCS.parent / "services/gateway/gateway/policies/schema.cedarschema": policy_schema.page(),
    }
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is stale: make docs", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path])
        print(path.relative_to(DOCS.parent))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS))
    sys.exit(main(sys.argv[1:]))
