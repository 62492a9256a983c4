"""The import contracts of .importlinter hold, and each of them breaks when its rule is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .repository import IMPORT_ROOTS, ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# (contract that must break, file to add, its text)
MUTANTS = [
    (
        "Drills stand on the command, the command on the launcher, the launcher on provisioning",
        "deploy/local/localmesh/mutant.py",
        "import drills.bankday.run\n",
    ),
    ("One inner shape for a service", "services/gateway/gateway/utils.py", '"""Stray."""\n'),
    ("Domain is pure", "services/risk-scoring/risk_scoring/domain/mutant.py", "import asyncio\n"),
    ("Services never import one another", "services/audit/audit/usecases/mutant.py", "import risk_scoring.config\n"),
    ("Services stand on meshkit, meshkit on generated contracts", "libs/meshkit/meshkit/mutant.py", "import gateway.main\n"),
    ("Inside meshkit only audit knows finmesh.audit", "libs/meshkit/meshkit/rpc/mutant.py", "import finmesh.audit.v1.audit_record_pb2\n"),
    ("The kit knows transport, never banking", "libs/meshkit/meshkit/rpc/mutant2.py", "import finmesh.risk.v1.decision_pb2\n"),
    ("Plain libraries import none of the others", "libs/pii/pii/mutant.py", "import meshkit.clock\n"),
    ("The simulated bank knows the kit and the contracts, no service", "libs/simbank/simbank/mutant.py", "import risk_scoring.config\n"),
    ("The gateway's client stands on the kit and the contracts alone", "libs/client/finmesh_client/mutant.py", "import simbank.day\n"),
    ("Errors, time and settings know no transport", "libs/meshkit/meshkit/errors.py", "import grpc\n"),
    ("The launcher and the command talk to services by their interfaces", "cli/finmesh_cli/mutant.py", "import audit.config\n"),
    ("Plain libraries do not know one another", "libs/engine/engine/mutant.py", "import translog.merkle\n"),
    (
        "Nothing below the services imports a service, the launcher or the command",
        "services/gateway/gateway/adapters/mutant.py",
        "import simbank.day\n",
    ),
    ("Services and the command reach Kafka through meshkit.events alone", "cli/finmesh_cli/mutant2.py", "import aiokafka\n"),
    ("An adapter knows no use case", "services/audit/audit/adapters/mutant.py", "import audit.usecases.get_record\n"),
    ("Generated code stands alone", "libs/contracts/gen/finmesh/mutant.py", "import meshkit.errors\n"),
]


def lint(tree: Path) -> str:
    """Run the contracts over the packages of a tree; its packages win over installed ones."""
    roots = os.pathsep.join(str(tree / root) for root in IMPORT_ROOTS)
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": roots, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def broken(output: str) -> set[str]:
    """Return the names of the contracts that a report calls broken."""
    return set(re.findall(r"^(.+?) BROKEN", output, re.MULTILINE))


@pytest.fixture(scope="module")
def mutated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Report on a copy of the packages into which every mutant was written."""
    tree = tmp_path_factory.mktemp("mutants")
    for root in IMPORT_ROOTS:
        for source in (ROOT / root).rglob("*.py"):
            target = tree / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for _, name, text in MUTANTS:
        path = tree / name
        before = path.read_text() if path.exists() else ""
        path.write_text(before + text)
    return lint(tree)


def test_contracts_hold() -> None:
    output = lint(ROOT)
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", output), output


@pytest.mark.parametrize("contract", [name for name, _, _ in MUTANTS])
def test_each_contract_can_break(contract: str, mutated: str) -> None:
    assert contract in broken(mutated), mutated


def test_every_contract_has_a_mutant() -> None:
    names = set(re.findall(r"^name = (.+)$", (ROOT / ".importlinter").read_text(), re.MULTILINE))
    assert names == {name for name, _, _ in MUTANTS}


def test_stray_module_is_named(mutated: str) -> None:
    assert "gateway.utils" in mutated, mutated
