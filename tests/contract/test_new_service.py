"""A new service with one RPC: its own folder and at most twelve other files. Shown by adding one to a scratch copy of the repository,
where it starts, is called through the gateway, and passes the contract tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .repository import IMPORT_ROOTS, relative, tracked_files
from .toy import EDITS, NEW

MAX_FILES = 12
OWN = ("services/toy/",)
GENERATED = (
    "libs/contracts/gen/", "requirements/", "docs/configuration.md", "docs/asyncapi.yaml", "docs/services.md",
    "libs/meshkit/meshkit/known_settings.json", "services/gateway/gateway/policies/schema.cedarschema",
)  # fmt: skip
CONTRACTS = (
    "test_gateway_routes.py", "test_shape.py", "test_k8s.py", "test_imports.py::test_contracts_hold", "test_topics.py",
    "test_generated.py", "test_least_privilege.py", "test_dependencies.py", "test_versions.py",
)  # fmt: skip


CALL = """
import asyncio, datetime as dt, os
from finmesh.gateway.v1 import gateway_service_pb2 as pb, gateway_service_pb2_grpc as rpc
from finmesh.toy.v1 import toy_service_pb2 as toy
from localmesh import launcher
from drills.bankday.site import bank_tokens
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports
from localmesh.processes import table
from localmesh.rows import only
from localmesh.supervisor import Mesh
from meshkit.config import TlsSettings
from meshkit.rpc.channel import MeshChannel


async def main():
    places = Places.default()
    launcher.ensure_identity(places)
    ports, certs = Ports.free(), places.certs
    async with Mesh(only(table(places, ports), ["toy", "gateway"]), places.var):
        tls = TlsSettings(certificate=certs / "client.pem", key=certs / "client.key", authority=certs / "authority.pem")
        tenant, token = next(iter(bank_tokens(places).items()))
        async with MeshChannel(f"{LOOPBACK}:{ports.grpc('gateway')}", tls, timeout_s=10) as channel:
            request = pb.SayHelloRequest(request=toy.SayHelloRequest(tenant=tenant, name="张伟"))
            answer = await rpc.GatewayServiceStub(channel).SayHello(request, metadata=(("authorization", f"Bearer {token}"),))
    print(answer.response.text)


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the toy in it, everything generated anew."""
    tree = tmp_path_factory.mktemp("scratch") / "finmesh"
    for path in tracked_files():
        target = tree / relative(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    run(tree, "git", "init", "-q")
    run(tree, "git", "add", "-A")
    run(tree, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "as it was")
    shutil.copytree(NEW, tree, dirs_exist_ok=True)
    for file, before, text in EDITS:
        path = tree / file
        content = path.read_text()
        at = content.index(before) if before else len(content)
        path.write_text(content[:at] + text + content[at:])
    (tree / "requirements/toy.txt").write_text((tree / "requirements/gateway.txt").read_text())  # what `make locks` needs the network for
    run(tree, "proto/generate")
    run(tree, sys.executable, "docs/generate")
    return tree


def run(tree: Path, *command: str) -> str:
    """Run a command in the copy, with the copy's packages before the installed ones. Returns what it printed."""
    roots = [*tree.glob("services/*"), *(tree / root for root in IMPORT_ROOTS), tree]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "FINMESH_VAR": str(tree / "var"),
    }
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    return done.stdout


def test_it_touches_its_own_folder_and_at_most_twelve_files(copy: Path) -> None:
    changed = [line[3:] for line in run(copy, "git", "status", "--porcelain", "--untracked-files=all").splitlines()]
    others = [path for path in changed if not path.startswith(OWN + GENERATED)]
    assert len(others) <= MAX_FILES, others
    assert "deploy/services.yaml" in others


def test_it_starts_and_is_called_through_the_gateway(copy: Path) -> None:
    assert run(copy, sys.executable, "-c", CALL).splitlines()[-1].endswith("你好，张伟")


def test_the_contracts_hold(copy: Path) -> None:
    said = run(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/contract/{name}" for name in CONTRACTS))
    assert " passed" in said
