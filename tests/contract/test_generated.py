"""Generated files are what the generators write now, and the protos keep their promises."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from .repository import ROOT

PROTO = ("proto", "buf.yaml", "buf.gen.yaml")
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
        tar.extractall(folder, filter="data")
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


def test_no_breaking_change(last_commit: Path) -> None:
    done = run("buf", "breaking", ".", "--against", str(last_commit))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_breaking_change_is_caught(tmp_path: Path) -> None:
    mutant = copy_protos(tmp_path)
    path = mutant / "proto/finmesh/risk/v1/decision.proto"
    text = path.read_text()
    path.write_text(text.replace("string decision_id = 1;", "bytes decision_id = 1;"))
    assert path.read_text() != text
    done = run("buf", "breaking", ".", "--against", str(ROOT), cwd=mutant)
    assert "decision_id" in done.stdout, done.stdout + done.stderr
    assert done.returncode != 0


def test_every_rpc_says_what_it_does(tmp_path: Path) -> None:
    from google.protobuf import descriptor_pb2

    out = tmp_path / "all.binpb"
    files = [path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("*.proto")]
    done = run(sys.executable, "-m", "grpc_tools.protoc", "-Iproto", "--include_source_info", f"--descriptor_set_out={out}", *files)
    assert done.returncode == 0, done.stderr
    undocumented, seen = [], 0
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
        for number, service in enumerate(file.service):
            for index, method in enumerate(service.method):
                seen += 1
                if len(comments.get((6, number, 2, index), "").split()) < 3:
                    undocumented.append(f"{service.name}.{method.name}")
    assert seen > 15
    assert not undocumented


def test_generated_pages_are_fresh() -> None:
    done = run(sys.executable, "docs/generate", "--check")
    assert done.returncode == 0, done.stderr
