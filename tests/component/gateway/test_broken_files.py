"""A key set or policies that are broken at the first load: one line that names the file, and exit status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("FINMESH_AUTH__JWKS", None, "No such file"),
        ("FINMESH_AUTH__JWKS", b'{"keys": [], "keys": []}', "'keys' occurs twice"),
        ("FINMESH_AUTH__JWKS", b"[" * 100_000, "nested too deeply"),
        ("FINMESH_AUTH__JWKS", b"\xff\xfe", "UTF-8"),
        ("FINMESH_AUTH__POLICIES", None, "No such file"),
    ],
)
def test_one_line_and_status_2(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / "银行.json"
    if content is not None:
        path.write_bytes(content)
    key = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True) | {"kid": "k", "alg": "EdDSA"}
    (tmp_path / "good.json").write_text(json.dumps({"keys": [key]}))
    done = subprocess.run(
        [sys.executable, "-m", "gateway.main.grpc"],
        env={**os.environ, "FINMESH_LISTEN": "127.0.0.1:0", "FINMESH_AUTH__JWKS": str(tmp_path / "good.json"), name: str(path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2
    assert last.startswith("cannot run: ")
    assert "银行.json" in last
    assert said in last
    assert "Traceback" not in done.stderr
