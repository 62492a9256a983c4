"""Generated files are what the generators write now, and the protos keep their promises."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from .repository import ROOT

PROTO = ("proto", "buf.yaml", "buf.gen.yaml")

# Breaks that docs/operations.md (Upgrading) announces, each with what buf calls it: accepted until main holds them, and nothing else.
_SERVICES = "proto/finmesh/{0}/v1/{1}_service.proto"
_RISK, _GATEWAY, _AUDIT = (_SERVICES.format(*names) for names in (("risk", "risk_scoring"), ("gateway", "gateway"), ("audit", "audit")))
ANNOUNCED = frozenset(
    {(path, "RPC_NO_DELETE", "TestRules") for path in (_RISK, _GATEWAY)}
    | {(path, "MESSAGE_NO_DELETE", f"TestRules{end}") for path in (_RISK, _GATEWAY) for end in ("Request", "Response")}
    | {(_AUDIT, "RPC_NO_DELETE", "GetRecord")}
    | {(_AUDIT, "MESSAGE_NO_DELETE", f"GetRecord{end}") for end in ("Request", "Response")}
)
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.suffix in {".py", ".pyi", ".typed"}
    }


def copy_protos(target: Path) -> Path:
    for name in PROTO:
        source = ROOT / name
        shutil.copytree(source, target / name) if source.is_dir() else shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="module")
def last_commit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The protos of the last commit of main; of HEAD where the clone has no main."""
    known = [
        ref for ref in ("origin/main", "main", "HEAD") if run("git", "rev-parse", "-q", "--verify", f"{ref}^{{commit}}").returncode == 0
    ]
    archive = subprocess.run(["git", "archive", known[0], *PROTO], cwd=ROOT, check=True, capture_output=True).stdout
    folder = tmp_path_factory.mktemp("last-commit")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's 3.11.2 has none
        tar.extractall(folder)
    return folder


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    copy = copy_protos(tmp_path)
    (copy / "libs/contracts/gen").mkdir(parents=True)
    done = run(str(copy / "proto/generate"), cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr
    fresh, checked_in = contents(copy / "libs/contracts/gen"), contents(ROOT / "libs/contracts/gen")
    assert len(fresh) > 20
    assert sorted(fresh) == sorted(checked_in)
    assert not [name for name in fresh if fresh[name] != checked_in[name]], "make proto"


def test_buf_lint() -> None:
    done = run("buf", "lint")
    assert done.returncode == 0, done.stdout + done.stderr


def breaks(protos: Path, against: Path) -> set[tuple[str, str, str]]:
    """What buf finds: file, its rule, and the first name in its message."""
    done = run("buf", "breaking", ".", "--against", str(against), "--error-format", "json", cwd=protos)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode != 0) == bool(found), done.stdout + done.stderr
    return {(each["path"], each["type"], re.findall(r'"([^"]+)"', each["message"])[0]) for each in found}


def test_no_breaking_change_but_those_announced(last_commit: Path) -> None:
    assert not breaks(ROOT, last_commit) - ANNOUNCED


def test_what_is_announced_is_in_the_upgrade_notes_and_gone() -> None:
    notes = (ROOT / "docs/operations.md").read_text().partition("\n## Upgrading\n")[2].partition("\n## ")[0]
    for path, _, name in ANNOUNCED:
        assert f"`{name}`" in notes, name
        assert not re.search(rf"\b{name}\b", (ROOT / path).read_text()), name


@pytest.mark.parametrize(
    ("name", "was", "mutated", "caught"),
    [
        ("risk/v1/decision.proto", "string decision_id = 1;", "bytes decision_id = 1;", ("FIELD_SAME_TYPE", "1")),
        ("audit/v1/audit_service.proto", "rpc GetStatistics(", "rpc Statistics(", ("RPC_NO_DELETE", "GetStatistics")),
    ],
)
def test_a_breaking_change_is_caught(tmp_path: Path, name: str, was: str, mutated: str, caught: tuple[str, str]) -> None:
    mutant = copy_protos(tmp_path)
    path = mutant / "proto/finmesh" / name
    text = path.read_text()
    path.write_text(text.replace(was, mutated))
    assert path.read_text() != text
    assert (f"proto/finmesh/{name}", *caught) in breaks(mutant, ROOT) - ANNOUNCED
